"""Bags as they are stored: what reads and writes their messages, whatever these are for."""
