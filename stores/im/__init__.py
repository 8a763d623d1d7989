"""What is kept of the IM server API: settings written in the call, and what the folder makes of the facts."""
