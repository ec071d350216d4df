"""Kills processes of a running stack at random while messages flow, then lets the reconciler judge."""
