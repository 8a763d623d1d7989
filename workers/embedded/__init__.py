"""Child processes on one machine: how a broker and a store are started here, watched, and stopped without a trace."""
