"""`guardianctl demo`: a fleet of one host on this machine, broken three ways and healed."""
