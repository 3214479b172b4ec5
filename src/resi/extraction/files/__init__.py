"""Files of representations in common array formats: one module per format, plus loading and saving."""
