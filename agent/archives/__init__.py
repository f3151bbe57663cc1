"""The pack and unpack operations: directories as records and as tar."""
