"""A provider organisation's system, for the local stack: subscribes, receives, shows. It stands outside the house."""
