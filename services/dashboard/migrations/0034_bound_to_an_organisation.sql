-- Who is bound to an organisation sees the patients whose primary care it is. Null where nobody has told it since: such
-- a transition is not shown to them until it changes, or `handoff rebuild dashboard` tells everything again.
ALTER TABLE board_transition ADD COLUMN pcp_organisation text;
CREATE INDEX board_transition_organisation ON board_transition (pcp_organisation, facility)
    WHERE pcp_organisation IS NOT NULL;
