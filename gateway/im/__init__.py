"""The IM server API, /v4/SERVICE/COMMAND: one module per subject, each with its commands."""
