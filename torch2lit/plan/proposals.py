"""Which proposals of features are accepted: every law once, for all of them, third parties' too.

The laws are `_LAWS`, each a function that says what it is broken by, "" when it holds. An accepted proposal is written into a fork of the draft; the
draft itself is left as it was, whatever comes out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import libcst as cst

from ..feature import AROUND, Conflict, Feature, KeptSum, Note, Proposal
from ..installed import features, is_own
from ..program import Claim, TrainerSpec
from ..recover.items import Item
from ..recover.syntax import walk
from .draft import SAVES, Draft, Removal, Watched
from .sums.later import put_off
from .sums.told import NUMBER
from .trainer import planned_arguments
from .training import DraftTraining


def propose(draft: Draft) -> Draft:
    """The draft with all that features propose and that the laws let through, each asked on what came before it."""
    for feature in features():
        for proposal in _proposals(draft, feature):
            if isinstance(proposal, Note):
                draft.note(proposal.slug, proposal.statement, proposal.message)
                continue
            if isinstance(proposal, KeptSum):
                draft.kept_sums.append(proposal)
                continue
            planned = accept(draft, proposal, feature.name)
            if isinstance(planned, Conflict):
                draft.declined.append((feature.name, planned))
                _tell(draft, proposal.declined, planned)
            else:
                draft = planned
                for note in proposal.notes:
                    draft.note(note.slug, note.statement, note.message)
    return draft


def _tell(draft: Draft, note: Note | None, conflict: Conflict) -> None:
    if note is not None:
        why = _WHY[conflict.law].format(conflict.about)
        draft.note(note.slug, note.statement, note.message.replace("{why}", why))


_WHY = {
    "level": "it is {} and nobody asked for it",
    "free": "{} is part of something else",
    "one loop": "{} belongs to another training loop, too",
    "guards": "{} may keep it from running in every epoch",
    "reads": "`{}` is read elsewhere",
    "told once": "the Trainer is told of `{}` already",
}
"""The laws in a user's words, by what they are broken."""


def _proposals(draft: Draft, feature: Feature) -> list[Proposal | Note | KeptSum]:
    """What a feature proposes. One of another package that fails is named, and the conversion goes on without it."""
    try:
        return list(feature.proposals(DraftTraining(draft)))
    except Exception as error:
        if is_own(feature):
            raise
        message = f"`{feature.name}` of another package failed with {type(error).__name__}: {error}"
        draft.note("plug-in-failed", draft.nest.outermost, message)
        return []


def accept(draft: Draft, proposal: Proposal, feature: str) -> Draft | Conflict:
    """The draft as the proposal makes it, or the law that the proposal breaks."""
    training = DraftTraining(draft)
    for law, broken_by in _LAWS.items():
        if about := broken_by(draft, training, proposal):
            return Conflict(law, about)
    planned = draft.fork()
    number = len(planned.accepted)
    planned.accepted.append(proposal)
    planned.trainer = planned.trainer.joined(_numbered(proposal, number))
    planned.idioms += [feature] if feature not in planned.idioms else []
    for statement in proposal.removed:
        planned.removals[statement] = Removal(proposal.target, feature, proposal.reason)
    for statement, text in proposal.texts.items():
        planned.claimed_by[statement] = feature
        if training.item_of(statement) is None:
            planned.rewritten[statement] = numbered(text, proposal, number)
        else:
            left = _left_out(statement, text, proposal) if statement in proposal.replaced else ()
            unread = (*proposal.unread, *left)
            text = numbered(text, proposal, number) if proposal.sums else text
            planned.texts[statement] = text
            planned.claims[statement] = Claim(proposal.target, proposal.reason, _becomes(text), unread=unread)
    for saving in proposal.saved:
        place = training.item_of(saving.statement)
        assert place is not None
        line = ast.copy_location(ast.Expr(saving.value), saving.statement)  # its own statement is gone
        under = (saving.condition, place[0].frame) if saving.condition is not None else None
        item = Item(line, place[0].frame, "saves", saving.function, saving.value, limit=under)
        planned.hooks[saving.method] = [item]
    for one in proposal.sums:
        planned.sums.append((word(one.key, number), one))
        asked = f"self.trainer.callback_metrics[{word(one.key, number)}].item()"
        planned.exchanged |= {node: text.replace(NUMBER, asked) for node, text in one.told.items()}
    put_off(planned, [n for one in proposal.sums if not one.of_validation for n in one.told])
    for watch in proposal.watched:
        place = training.item_of(watch.before)
        assert place is not None
        planned.watched.append(Watched(watch, *place, word(watch.key, number)))
    return planned


def word(key: str, number: int) -> str:
    """What a word in braces of one proposal is called among those of all."""
    return f"{{{number}:{key}}}"


def numbered(text: str, proposal: Proposal, number: int) -> str:
    """A text of a proposal, whose own words in braces are told from those of others."""
    for key in own_words(proposal):
        text = text.replace(f"{{{key}}}", word(key, number))
    return text


def own_words(proposal: Proposal) -> list[str]:
    """The words in braces that mean something in this proposal alone."""
    watched = [word for w in proposal.watched for word in (w.key, f"{w.key}!")]
    keys = [*watched, *(s.key for s in proposal.sums)]
    return [*keys, *proposal.fresh, *(i.rpartition(".")[2] for i in proposal.imports)]


def _numbered(proposal: Proposal, number: int) -> TrainerSpec:
    spec = proposal.trainer
    return TrainerSpec(
        tuple((name, numbered(text, proposal, number)) for name, text in spec.arguments),
        tuple(numbered(text, proposal, number) for text in spec.callbacks),
        tuple(numbered(text, proposal, number) for text in spec.loggers),
        spec.defaults,
    )


def _becomes(text: str) -> Callable[[object], object]:
    return lambda _node: list(cst.parse_module(text).body)


def _left_out(statement: ast.stmt, text: str, proposal: Proposal) -> Iterator[ast.AST]:
    """The parts of a replaced statement of which nothing is left: whole statements in it, and names that neither the new text nor what is watched holds."""
    kept = _names(text)
    watched = {id(w.value) for w in proposal.watched}
    for node in walk(statement):
        inner = isinstance(node, ast.stmt) and node is not statement
        if inner or (isinstance(node, ast.Name) and node.id not in kept and id(node) not in watched):
            yield node


def _names(text: str) -> set[str]:
    """The names in a text; a word in braces at its start, which is given a value, is none of the script's."""
    text = re.sub(r"^\{[\w:]+\}(?= = )", "_", text)
    return {n.id for n in walk(ast.parse(text)) if isinstance(n, ast.Name)}


# ---- the laws


def _level(draft: Draft, _training: DraftTraining, proposal: Proposal) -> str:
    """What is not exact is not wanted, as long as nobody asks for it."""
    return "" if draft.options.wants(proposal.level, proposal.option) else proposal.level


def _free(draft: Draft, training: DraftTraining, proposal: Proposal) -> str:
    """What a proposal changes is there, nobody else has changed it, and what becomes other source has a line of its own."""
    places = {part.statement: part.place for part in training.parts}
    for statement in _changed(proposal):
        around = statement in proposal.texts and places.get(statement) in AROUND
        if statement not in places or (around and not training.alone(statement)):
            return _line(statement)
    for saving in proposal.saved:
        if saving.method in draft.hooks or saving.method in draft.source.names or saving.method not in SAVES:
            return f"`{saving.method}`"
    return ""


def _one_loop(draft: Draft, training: DraftTraining, proposal: Proposal) -> str:
    """What several training loops of a file may all lay claim to is the first one's."""
    lines = [loop.lineno for loop in draft.other_loops if loop.lineno < draft.nest.outermost.lineno]  # type: ignore[attr-defined]
    places = {part.statement: part.place for part in training.parts}
    for statement in _changed(proposal):
        if places[statement] in AROUND and any(statement.lineno < line for line in lines):
            return _line(statement)
    return ""


def _guards(_draft: Draft, training: DraftTraining, proposal: Proposal) -> str:
    """The Trainer does what it is told always and once: what goes runs in every epoch, but for conditions that the Trainer decides as well."""
    changed = {*proposal.removed, *proposal.replaced}
    for part in training.parts:
        if part.statement in changed and part.place not in AROUND:
            around = [s for s in part.within if s not in proposal.decided and s not in changed]
            if around:
                return _line(around[0])
            if not part.within and training.may_be_passed(part):
                return _line(part.statement)
    return ""


def _reads(draft: Draft, training: DraftTraining, proposal: Proposal) -> str:
    """What goes has bound nothing that anything else still names."""
    kept = {name for text in proposal.texts.values() for name in _names(text)}
    names = [n for s in _changed(proposal) for n in walk(s) if isinstance(n, ast.Name)]
    gone = {id(n) for n in names} | {id(n) for e in proposal.unread for n in walk(e)} | _gone_before(draft)
    loops = [c.target for s in _changed(proposal) for c in walk(s) if isinstance(c, ast.comprehension)]
    own = {id(n) for target in loops for n in walk(target)}  # of a comprehension, and of nothing else
    own |= {id(n) for one in proposal.sums for n in one.names}
    own |= {id(n) for s in _changed(proposal) if _keeps_its_names(s) for n in walk(s)}
    for name in names:
        if isinstance(name.ctx, ast.Load) or name.id in kept or id(name) in own:
            continue
        value = training.value(name)
        if value is None or value.hidden or any(id(n) not in gone for n in value.mentions):
            return name.id
    return ""


def _keeps_its_names(statement: ast.stmt) -> bool:
    """Whether it is a function whose names are its own."""
    outer = (ast.Global, ast.Nonlocal)
    return isinstance(statement, ast.FunctionDef) and not any(isinstance(n, outer) for n in walk(statement))


def _gone_before(draft: Draft) -> set[int]:
    """The nodes of which earlier decisions leave nothing."""
    found = {id(n) for s in draft.removals for n in walk(s)}
    found |= {id(n) for claim in draft.claims.values() for part in claim.unread for n in walk(part)}
    for statement, text in draft.rewritten.items():
        kept = _names(text)
        found |= {id(n) for n in walk(statement) if isinstance(n, ast.Name) and n.id not in kept}
    return found


def _told_once(draft: Draft, _training: DraftTraining, proposal: Proposal) -> str:
    """Nothing is said twice to the Trainer, and no class of callback is there twice: two of them may be one to a checkpoint."""
    spec = proposal.trainer
    if thing := planned_arguments(draft).conflict(spec) or draft.trainer.conflict(spec):
        return thing
    kinds = {kind for earlier in draft.accepted for kind in _kinds(earlier)}
    return next((kind for kind in _kinds(proposal) if kind in kinds), "")


def _kinds(proposal: Proposal) -> list[str]:
    """The classes of the callbacks that a proposal brings: what it imports, and what its texts call."""
    imported = [full for full in proposal.imports if ".callbacks." in full]
    called = [text.partition("(")[0] for text in proposal.trainer.callbacks if "(" in text]
    return [f"{kind} {proposal.key}".strip() for kind in (*imported, *called)]


_LAWS: dict[str, Callable[[Draft, DraftTraining, Proposal], str]] = {
    "level": _level,
    "free": _free,
    "one loop": _one_loop,
    "guards": _guards,
    "reads": _reads,
    "told once": _told_once,
}


def _changed(proposal: Proposal) -> list[ast.stmt]:
    return [*proposal.removed, *proposal.texts]


def _line(statement: ast.stmt) -> str:
    return f"line {statement.lineno}"
