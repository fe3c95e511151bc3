"""Faults, made on purpose: processes killed and frozen, servers restarted, wires cut; and what must still hold."""
