"""``python -m resi``."""

from resi.app import main

if __name__ == "__main__":
    main()
