"""Results as people read them: tables of scores, rankings, and the page of ``resi report``."""
