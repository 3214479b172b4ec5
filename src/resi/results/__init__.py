"""Result tables: their schema, shards and merging."""
