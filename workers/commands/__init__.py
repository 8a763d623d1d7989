"""What each command of `fanfold` does. `workers.cli` imports a module here only when its command is run."""
