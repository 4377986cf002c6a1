"""The store: bytes by digest and write-once documents, in S3 or in a folder."""
