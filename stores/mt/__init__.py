"""What the metering platform keeps."""
