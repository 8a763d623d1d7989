"""The portals of the metering platform, /mt/*."""
