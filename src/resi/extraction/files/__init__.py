"""Files of representations, in any format that people keep arrays in: one module a format, loading and saving above."""
