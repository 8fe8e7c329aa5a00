"""What other systems tell the server by themselves: the object store's notifications at `/hooks/s3`."""
