"""voltrace: what happened to a Cinder volume-create request, told from the logs, and a simulator that writes such logs."""

__version__ = "0.1.0"
