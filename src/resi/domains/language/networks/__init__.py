"""The families of networks of the language domain, one file each."""
