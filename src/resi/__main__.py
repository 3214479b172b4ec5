"""``python -m resi``."""

from resi.cli.main import main

if __name__ == "__main__":
    main()
