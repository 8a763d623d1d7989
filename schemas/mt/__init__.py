"""The metering platform: what its portals ask and are answered."""
