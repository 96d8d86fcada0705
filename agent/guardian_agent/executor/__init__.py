"""A small root process that does for the unprivileged agent what needs root, as far as root's configuration allows."""
