"""Measurements that are fair across vocabularies: models and texts in, numbers out."""
