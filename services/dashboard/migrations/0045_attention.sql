-- A column of the board begins with those whose tasks have escalated furthest; then what is due first (so what is overdue
-- comes before what is not), and of what is due at the same time the patients at higher risk.
CREATE INDEX board_transition_attention
    ON board_transition (status, (-escalation_level), rank_at, (coalesce(risk_priority, 2)), id)
    WHERE status IN ('open', 'following', 'on-hold');
DROP INDEX board_transition_rank;
