"""What may be asked of a machine, subject by subject: the readers' contracts and the words they answer in."""
