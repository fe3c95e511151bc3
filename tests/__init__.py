"""Tests of Careline: they mirror the layers, with real servers where a claim needs them."""
