"""The agent: looks at one host through probes, heals it with playbooks, and records what happened."""

__version__ = "0.1.0"
