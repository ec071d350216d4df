"""The referrals of some patients within one transaction: loaded at once, changed deed by deed, saved at once."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.referrals import store
from services.transitions.referrals.clocks import timers, waiting
from services.transitions.referrals.duplicates import suspect, suspecting
from services.transitions.referrals.referral import Deed, Referral, begin
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.statements import say, statements
from services.transitions.referrals.states import Kind, State
from shared.events import Draft
from shared.events.referrals import ReferralFact, ReferralStatusTold
from shared.postgres import Transaction


class Book:
    """Holds the referrals as they stand so far; `save` writes what differs from what was loaded."""

    def __init__(self, rules: LoopRules, loaded: Iterable[Referral]) -> None:
        self._rules = rules
        self._referrals = {referral.id: referral for referral in loaded}
        self._stored = dict(self._referrals)
        self.drafts: list[Draft] = []

    @classmethod
    async def load(
        cls, tx: Transaction, rules: LoopRules, patients: Collection[str], ids: Collection[UUID] = ()
    ) -> "Book":
        """The patients must be locked; whoever else one of the referrals stands under is locked too."""
        loaded = await store.load(tx.connection, patients, ids)
        others = {referral.patient_id for referral in loaded} - set(patients)
        if others:
            await tx.lock({*patients, *others})
            loaded = await store.load(tx.connection, {*patients, *others}, ids)
        return cls(rules, loaded)

    def find(self, referral_id: UUID) -> Referral | None:
        return self._referrals.get(referral_id)

    def of(self, patient_id: str) -> list[Referral]:
        return [referral for referral in self._referrals.values() if referral.patient_id == patient_id]

    def add(
        self, referral_id: UUID, patient_id: str, deeds: Sequence[Deed], cause: Cause, heard: ReferralFact | None = None
    ) -> Referral:
        """The referral after the deeds, and what is to be said of it. Deeds known already change nothing."""
        before = self.find(referral_id)
        if before is None:
            after = self._looked_over(begin(referral_id, patient_id, deeds))
        else:
            after = replace(before, patient_id=patient_id).with_deeds(deeds)
            if before.state is State.DRAFT and after.state is State.REQUESTED:
                after = self._looked_over(after)
        if after == before:
            return after
        fired = after.fired if before is not None and before.step == after.step else 0
        after = replace(after, version=(before.version if before else 0) + 1, fired=fired)
        self.drafts += statements(before, after, waiting(after, self._rules), cause, heard)
        self._referrals[referral_id] = after
        return after

    def _looked_over(self, new: Referral) -> Referral:
        """A new referral, marked where the same service was asked for already without saying why again."""
        is_justified = any(deed.kind is Kind.REPEAT for deed in new.deeds)
        found = None if is_justified else suspect(new, self.of(new.patient_id), self._rules)
        return new.with_deeds([suspecting(new, found)]) if found else new

    def tell_status(self, referral_id: UUID, cause: Cause) -> None:
        """Answers a question about the referral; one that nobody has told of is not answered."""
        referral = self.find(referral_id)
        if referral is not None:
            self.drafts.append(say(ReferralStatusTold, referral, waiting(referral, self._rules), cause))

    def put(self, referral: Referral) -> None:
        """The referral with what is no deed changed (levels told)."""
        self._referrals[referral.id] = referral

    async def save(self, tx: Transaction) -> None:
        changed = [r for key, r in self._referrals.items() if r != self._stored.get(key)]
        if not changed:
            await tx.publish(self.drafts)
            return
        rows = [(r, waiting(r, self._rules), self._group(r)) for r in changed]
        await store.save(tx.connection, rows)
        await store.keep_deeds(tx.connection, [(r.id, deed) for r in changed for deed in self._new_deeds(r)])
        await store.set_timers(tx.connection, [(r, timers(r, self._rules)) for r in changed])
        await tx.publish(self.drafts)

    def _new_deeds(self, referral: Referral) -> list[Deed]:
        stored = self._stored.get(referral.id)
        known = {deed.event_id for deed in stored.deeds} if stored else set()
        return [deed for deed in referral.deeds if deed.event_id not in known]

    def _group(self, referral: Referral) -> str:
        return self._rules.group_of(referral.terms.service_code, referral.terms.service)
