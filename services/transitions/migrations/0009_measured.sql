-- Scores are computed when asked for, from the inputs that are kept: no table of results that could disagree with them.
DROP TABLE risk_score;
DROP TABLE laboratory;
