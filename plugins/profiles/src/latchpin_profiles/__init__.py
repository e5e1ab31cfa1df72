"""Profiles of known authorization servers for Latchpin: what they document and no metadata says.

``profiles.toml`` is the table, ``profile_file`` reads files of its form, ``plugin`` is what Latchpin finds.
"""
