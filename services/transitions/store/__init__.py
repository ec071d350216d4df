"""All SQL of transitions: following patients, timers, and what people look at and ask for."""
