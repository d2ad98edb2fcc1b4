// Nothing: its target holds precompiled headers.
