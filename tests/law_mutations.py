"""Deliberate mutations of the code: each breaks one law of docs/ARCHITECTURE.md's design, and a test must fail.

``old`` must occur exactly once in its file: keep it as short as that allows. The tests are the smallest selection that
is to notice. For law 1 these are tests that run both scripts wherever possible: that a text is another one says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutation:
    """One edit that breaks a law, and the tests of which one must fail."""

    law: int
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def anchor_problem(root: Path, mutation: Mutation) -> str:
    """Why the mutation cannot be made; "" when it can."""
    path = root / mutation.file
    if not path.exists():
        return f"anchor not found: there is no file {mutation.file}"
    count = path.read_text(encoding="utf-8").count(mutation.old)
    if count != 1:
        return f"anchor not found once in {mutation.file} but {count} times: {mutation.old!r}"
    return "" if mutation.new != mutation.old else "the mutation changes nothing"


def _trains(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/test_fixtures_verify.py::test_conversion_trains_the_same[{n}]" for n in names)


def _text(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/test_fixtures.py::test_fixture[{n}]" for n in names)


EFFECTS = "torch2lit/recover/effects.py"
STEPS = "torch2lit/plan/steps.py"
MAKE = "torch2lit/plan/make.py"
OPTIMIZERS = "torch2lit/plan/optimizers.py"
VALIDATION = "torch2lit/plan/validation.py"
MIXED = "torch2lit/plan/mixed_precision.py"
FACTS = "torch2lit/plan/homes/facts.py"
PROMOTION = "torch2lit/plan/homes/promotion.py"
COUNTERS = "torch2lit/plan/homes/counters.py"
CONSTRUCTION = "torch2lit/plan/homes/construction.py"
ACCUMULATION = "torch2lit/plan/accumulation.py"
TRAIN_DATA = "torch2lit/plan/train_data.py"
TRAINER = "torch2lit/plan/trainer.py"
LEDGER = "torch2lit/plan/ledger.py"
ENGINE = "torch2lit/engine.py"
HOOKS = "torch2lit/rewrite/hooks.py"
ENTRY = "torch2lit/rewrite/entry.py"
EDITS = "torch2lit/files/edits.py"
LINES = "torch2lit/files/lines.py"
DECODING = "torch2lit/files/decoding.py"
WRITING = "torch2lit/files/writing.py"
PROCESS = "torch2lit/process.py"
RUN = "torch2lit/run.py"
SAFETY = "tests/test_files_safety.py::"
LAWS = "tests/test_laws.py::"

ESCAPES = "torch2lit/recover/escapes.py"
VARIABLES = "torch2lit/recover/variables.py"
OBJECTS = "torch2lit/objects/classes.py"

OF_METHODS = (
    Mutation(
        1,
        "code that gets the object of methods binds none of its attributes",
        VARIABLES,
        "written_names | escapes.bound_outside",
        "written_names",
        _trains("methods-whose-callback-puts-another-optimizer"),
    ),
    Mutation(
        1,
        "a method called by methods binds no attributes",
        ESCAPES,
        "                written |= inner[1]\n",
        "",
        _trains("methods-that-change-the-loader"),
    ),
    Mutation(
        1,
        "an attribute has the result of methods before they return",
        VARIABLES,
        "if any(is_state(name) for name in outer):",
        "if False:",
        _trains("methods-result-seen-too-late"),
    ),
    Mutation(
        1,
        "an argument of methods is the attribute, whatever that is by then",
        VARIABLES,
        "if self.roles.escapes is not None and item.value.id in self.roles.escapes.changing:",
        "if False:",
        _trains("methods-argument-that-changes"),
    ),
    Mutation(
        1,
        "counters that are attributes of methods are forgotten",
        PROMOTION,
        "if is_attribute(variable.name):  # whoever has the object may look at it",
        "if False:",
        _trains("methods-count-in-attributes"),
    ),
    Mutation(
        1,
        "methods are the class's own, whatever is put in their place",
        OBJECTS,
        "    if problem := _attributes(source, family) or _replaced(source, family, others):\n",
        "    if problem := _attributes(source, family):\n",
        _text("fabric-methods-put-there-later", "fabric-methods-of-an-object-with-its-own"),
    ),
    Mutation(
        1,
        "methods that read a property read a value",
        ESCAPES,
        "                if not self._harmless(part):\n                    return True\n",
        "                pass\n",
        _trains("methods-with-a-property"),
    ),
)

SAME_TRAINING = (
    Mutation(
        1,
        "a use of the model touches nothing",
        EFFECTS,
        'elif harmless.get(node) != "value":\n                        model = True',
        'elif harmless.get(node) != "value":\n                        model = False',
        _trains("post-step-reads-parameters"),
    ),
    Mutation(
        1,
        "gradients are not seen",
        EFFECTS,
        'case ast.Attribute(attr="grad" | "backward"',
        'case ast.Attribute(attr="backward"',
        _trains("gradients-read-after-zero-grad-at-end"),
    ),
    Mutation(
        1,
        "random numbers are not seen",
        EFFECTS,
        'last == "set_seed"):\n            return True',
        'last == "set_seed"):\n            return False',
        _trains("rng-drawn-at-epoch-start"),
    ),
    Mutation(
        1,
        "changes in place are not seen",
        STEPS,
        "if effects.mutates & graph:",
        "if False:",
        _trains("post-step-inplace-on-output"),
    ),
    Mutation(
        1,
        "the order of dependent statements is free",
        STEPS,
        "return bool(changed & (they_read | they_change) or read & they_change)",
        "return False",
        _trains("printed-between-and-after-step", "counter-raised-after-scheduler-step"),
    ),
    Mutation(
        1,
        "gradients set to zero are taken for None",
        STEPS,
        "if arguments and not all(",
        "if False and not all(",
        _trains("gradients-set-to-zero-not-none"),
    ),
    Mutation(
        1,
        "several zero_grads or none are taken for one",
        STEPS,
        "if len(zero_grads) != 1:",
        "if len(zero_grads) > 1:",
        _trains("gradients-never-cleared"),
    ),
    Mutation(
        1,
        "a skipped batch runs what follows the step",
        STEPS,
        "if (tail or before_step) and any(",
        "if False and any(",
        _trains("skipped-batch-with-print-before-step"),
    ),
    Mutation(
        1,
        "carried gradients are cleared before validation",
        MAKE,
        "    if reads or _gradients_live_on(draft):\n",
        "    if False:\n",
        _trains("gradients-never-cleared", "clipping-more-than-the-optimizer-holds"),
    ),
    Mutation(
        1,
        "gradients of an earlier loop are lost at the start",
        MAKE,
        "    if draft.other_loops or repeated or _runs_again(draft) or _fits_already(draft):\n",
        "    if False:\n",
        _trains("accumulation-rest-across-two-trainings"),
    ),
    Mutation(
        1,
        "a loader's own generator is overlooked",
        TRAIN_DATA,
        "asks_at_end |= owns_generator(draft, base, draft.nest.inner)",
        "asks_at_end |= False",
        _trains("shuffle-generator-in-loader"),
    ),
    Mutation(
        1,
        "a dataset without length is overlooked",
        TRAIN_DATA,
        "if _has_no_length(draft, base):",
        "if False:",
        _trains("iterable-dataset-without-length"),
    ),
    Mutation(
        1,
        "a loader made in every epoch is overlooked",
        TRAIN_DATA,
        "if isinstance(node, ast.Name) and draft.variables.of(frame, node.id) in written:",
        "if False:",
        _trains("loader-rebuilt-every-epoch"),
    ),
    Mutation(
        1,
        "random numbers at the epoch's start do not matter",
        TRAIN_DATA,
        "drawing, changing = _draws_before(draft),",
        "drawing, changing = None,",
        _trains("rng-drawn-at-epoch-start"),
    ),
    Mutation(
        1,
        "workers start before the dataset is changed",
        TRAIN_DATA,
        "_draws_before(draft), _changes_started_loader(draft)",
        "_draws_before(draft), None",
        _trains("dataset-changed-at-epoch-start-with-workers", "sampler-epoch-from-a-start"),
    ),
    Mutation(
        1,
        "Lightning tells the sampler an epoch",
        TRAIN_DATA,
        "told = _would_be_told(draft)",
        "told = None",
        _trains("sampler-epoch-never-set"),
    ),
    Mutation(
        1,
        "what hooks of PyTorch write is not seen",
        EFFECTS,
        "return bool(self._hooked) and",
        "return False and",
        _trains("hook-writes-what-is-printed-after-backward"),
    ),
    Mutation(
        1,
        "the gradient mode is not asked for",
        VALIDATION,
        "if draft.effects.asks_grad_mode():",
        "if False:",
        _trains("grad-mode-asked-before-validation"),
    ),
    Mutation(
        1,
        "closures keep the values of their own batch",
        PROMOTION,
        "        if variable in self.kept:\n",
        "        if False:\n",
        _trains("lambda-over-batch-kept-for-later"),
    ),
    Mutation(
        1,
        "handlers do not see what the loop has reached",
        ENTRY,
        "            if text:\n                result.append(Edit(first.lineno",
        "            if False:\n                result.append(Edit(first.lineno",
        _trains("interrupt-handler-reads-loop-state"),
    ),
    Mutation(
        1,
        "^C does not reach its handler",
        MAKE,
        "            draft.exits.append(handler)\n",
        "",
        _trains("interrupt-handler-reads-loop-state"),
    ),
    Mutation(
        1,
        "every exit is taken for ^C",
        MAKE,
        "if may_exit(draft, handler) or",
        "if False or",
        _text("interrupt-beside-an-exit"),
    ),
    Mutation(
        1,
        "reversed epochs count up",
        "torch2lit/plan/epoch_values.py",
        "return ast.Subscript(inner, backwards, ast.Load())",
        "return inner",
        _trains("epochs-reversed"),
    ),
    Mutation(
        1,
        "a list of epochs may change meanwhile",
        "torch2lit/plan/epoch_values.py",
        "return made and not any(",
        "return made or not any(",
        _text("refused-epochs-from-a-changing-list"),
    ),
    Mutation(
        1,
        "a schedule per batch moves once per epoch",
        OPTIMIZERS,
        'return variable, step, "step"',
        'return variable, step, "epoch"',
        _trains("scheduler-per-batch"),
    ),
    Mutation(
        1,
        "the schedule moves before its rate is read",
        OPTIMIZERS,
        "if effects.optimizer or effects.learning_rate:\n            return False",
        "if False:\n            return False",
        _trains("learning-rate-printed-in-validation"),
    ),
    Mutation(
        1,
        "validation switches to eval unasked",
        VALIDATION,
        "draft.methods.append(_KEEP_MODE)",
        "pass",
        _trains("validation-without-eval"),
    ),
    Mutation(
        1,
        "validation switches back to train unasked",
        VALIDATION,
        "if _mode_matters_after(draft, held, rest):",
        "if False:",
        _trains("eval-never-back-to-train"),
    ),
    Mutation(
        1,
        "an interval that the Trainer does not know is taken",
        VALIDATION,
        "if start is None or start + offset != 1:",
        "if start is None:",
        _trains("validation-every-second-epoch-from-the-first"),
    ),
    Mutation(
        1,
        "random numbers before the validation do not matter",
        VALIDATION,
        '        if effects.rng:\n            return f"line',
        '        if False:\n            return f"line',
        _trains("rng-drawn-before-validation"),
    ),
    Mutation(
        1,
        "two sanity steps run before training",
        TRAINER,
        'arguments["num_sanity_val_steps"] = "0"',
        'arguments["num_sanity_val_steps"] = "2"',
        _trains("global-best-accuracy"),
    ),
    Mutation(
        1,
        "the first epoch's number is lost",
        COUNTERS,
        'return f"{text} + {inner}"',
        "return text",
        _trains("epoch-counted-from-one"),
    ),
    Mutation(
        1,
        "a start value is lost",
        PROMOTION,
        "self.add_parameter(variable.name, attribute, argument_of(self.draft, variable))\n\n    def needs_initial",
        'self.add_parameter(variable.name, attribute, "None")\n\n    def needs_initial',
        _trains("best-checkpoint", "steps-over-endless-loader", "batch-skipped-by-continue"),
    ),
    Mutation(
        1,
        "clipping of other parameters goes to the Trainer",
        "codemods/clip_gradients.py",
        "if not site.optimizes_all(model):",
        "if False:",
        _trains("clipping-more-than-the-optimizer-holds"),
    ),
    Mutation(
        1,
        "clipping by another norm goes to the Trainer",
        "codemods/clip_gradients.py",
        "value.value == _DEFAULTS[name]",
        "True",
        _trains("clipping-by-another-norm"),
    ),
    Mutation(
        1,
        "a window of batches with a loss that is not divided by its length goes to the Trainer",
        ACCUMULATION,
        "    if not _same(n, window.length) or (",
        "    if (",
        _trains("accumulation-divided-by-another-number"),
    ),
    Mutation(
        1,
        "a window of batches that is stepped early goes to the Trainer",
        ACCUMULATION,
        "_counts_length(draft, other) == more + first - 1",
        "True",
        _trains("accumulation-stepped-before-the-last-batch"),
    ),
    Mutation(
        1,
        "what looks at gradients within a window of batches runs at its end",
        ACCUMULATION,
        "if i not in window.clips]:",
        "if False]:",
        _trains("accumulation-with-gradients-read-per-batch"),
    ),
    Mutation(
        1,
        "a schedule for every batch moves once per window of batches",
        OPTIMIZERS,
        "draft.window is not None and step.parent is not draft.window",
        "False",
        _trains("accumulation-with-schedule-for-every-batch"),
    ),
    Mutation(
        1,
        "a loader class of the script's own is Lightning's loader",
        TRAIN_DATA,
        "if reason := own_loader(draft, base, draft.nest.inner):",
        "if (reason := own_loader(draft, base, draft.nest.inner)) and False:",
        _trains("own-loader-class", "own-loader-class-lazy"),
    ),
    Mutation(
        1,
        "a validation loader of an own class is Lightning's",
        VALIDATION,
        "if reason := own_loader(draft, found.loop.base, found.frame):",
        "if (reason := own_loader(draft, found.loop.base, found.frame)) and False:",
        _trains("validation-loader-of-an-own-class"),
    ),
    Mutation(
        1,
        "a batch sampler is asked for the first order before it is told the epoch",
        TRAIN_DATA,
        "and not _asks_at_start(made)",
        "",
        _trains("batch-sampler-with-epochs-from-a-start"),
    ),
    Mutation(
        1,
        "an evaluation that records gradients is Lightning's validation",
        VALIDATION,
        "if reason := graph_is_seen(draft, found):",
        "if (reason := graph_is_seen(draft, found)) and False:",
        _trains("test-without-no-grad"),
    ),
    Mutation(
        1,
        "the Trainer lowers precision beside the script's own autocast",
        TRAINER,
        "if precision := precision_argument(draft):",
        "if precision := repr(options.precision) if options.precision else precision_argument(draft):",
        _trains("precision-asked-of-a-script-with-autocast"),
    ),
    Mutation(
        1,
        "a weight that is used twice does not keep autocast in the step",
        MIXED,
        "if reason := used_twice(draft.roles, node, item.frame.scope, method):",
        "if (reason := used_twice(draft.roles, node, item.frame.scope, method)) and False:",
        _trains("bfloat16-autocast"),
    ),
    Mutation(
        1,
        "what the script computes in full precision gets under the Trainer's autocast",
        MIXED,
        "if (item in training) is not inside and (matters := autocast_matters(draft, item)):",
        "if (matters := autocast_matters(draft, item)) and False:",
        _trains("autocast-around-forward-only"),
    ),
    Mutation(
        1,
        "a validation in full precision gets under the Trainer's autocast",
        MIXED,
        "        elif autocast_matters(draft, item):",
        "        elif False:",
        _trains("mixed-precision-validated-in-full"),
    ),
    Mutation(
        1,
        "a constant that code run as text may change is taken for a constant",
        "torch2lit/plan/autocast.py",
        "if key is None or draft.roles.rebound_unseen(key):",
        "if key is None:",
        _trains("settings-run-as-code-switch-autocast"),
    ),
    Mutation(
        1,
        "gradients that an object computes are cleared before validation",
        STEPS,
        "return has_backward(item.node) or any(id(n) in held for n in walk(item.node))",
        "return has_backward(item.node)",
        _trains("step-in-an-object-before-validation"),
    ),
    Mutation(
        1,
        "the backward pass of manual optimization is lost",
        HOOKS,
        "return [node.visit(_ManualBackward(own))]  # type: ignore[list-item]",
        'return [] if "backward" in cst.Module([node]).code else [node]',
        _trains("two-backwards"),
    ),
)

NOTHING_UNSAID = (
    Mutation(2, "the loops are missing from the ledger", LEDGER, "        self.loops()\n", "", _text("module-level")),
    Mutation(
        2,
        "the functions are missing from the ledger",
        LEDGER,
        "        self.functions()\n",
        "",
        _text("train-test-pair-with-parameters"),
    ),
    Mutation(
        2,
        "replaced statements are missing from the ledger",
        LEDGER,
        "for statement, removal in self.draft.removals.items():",
        "for statement, removal in {}.items():",
        _text("gradient-clipping-plain", "module-level"),
    ),
    Mutation(
        2,
        "the last statement of a hook is missing from the ledger",
        LEDGER,
        "for item in self.draft.hooks.get(hook, []):",
        "for item in self.draft.hooks.get(hook, [])[:-1]:",
        _text("module-level"),
    ),
    Mutation(
        2,
        "statements around the training are missing from the ledger",
        LEDGER,
        "for statement in _open_statements(source.tree.body, inside):",
        "for statement in ():",
        (LAWS + "test_the_ledger_holds_every_statement",),
    ),
    Mutation(
        2,
        "the ledger gives no reasons",
        LEDGER,
        "return LedgerEntry(statement.lineno, end, text, fate, target, codemod, reason)",
        'return LedgerEntry(statement.lineno, end, text, fate, target, codemod, "")',
        (LAWS + "test_every_ledger_entry_says_where_and_why",),
    ),
    Mutation(
        2,
        "the ledger gives no targets",
        LEDGER,
        "return LedgerEntry(statement.lineno, end, text, fate, target, codemod, reason)",
        'return LedgerEntry(statement.lineno, end, text, fate, "", codemod, reason)',
        (LAWS + "test_every_ledger_entry_says_where_and_why",),
    ),
    Mutation(
        2,
        "a lost comment is not told",
        ENGINE,
        "        all_findings += _removed_comments(self.raw.text, after)\n",
        "",
        _text("comments-above-replaced-statements", "comments-everywhere"),
    ),
    Mutation(
        2,
        "comments at the end of a block do not travel",
        HOOKS,
        "return [line for line in block.footer if line.comment]",
        "return []",
        _text("comments-everywhere"),
    ),
    Mutation(
        2,
        "a claimed statement goes instead of being replaced",
        HOOKS,
        "changes[id(target)] = self.draft.claims[inner].replace",
        "changes[id(target)] = None",
        _text("module-level", "sample-images-after-validation"),
    ),
    Mutation(
        2,
        "the statements that end an epoch disappear",
        HOOKS,
        "        for item in items:\n            if item.node in self.draft.removals",
        "        for item in items if hook != EPOCH_END else ():\n            if item.node in self.draft.removals",
        _trains("early-stopping-break"),
    ),
)

UNTOUCHED = (
    Mutation(
        3,
        "new lines get Unix newlines",
        EDITS,
        'newline = dominant_newline("".join(lines))',
        'newline = "\\n"',
        _text("crlf"),
    ),
    Mutation(
        3,
        "untouched lines lose blanks at their ends",
        EDITS,
        "        result += lines[reached : edit.start]\n",
        '        result += [x.rstrip(" \\t\\r\\n") + newline_of(x) for x in lines[reached : edit.start]]\n',
        (LAWS + "test_untouched_lines_stay_byte_for_byte",),
    ),
    Mutation(
        3,
        "untouched lines lose their tabs",
        EDITS,
        "    result += lines[reached:]\n",
        "    result += [x.expandtabs() for x in lines[reached:]]\n",
        (LAWS + "test_untouched_lines_stay_byte_for_byte",),
    ),
    Mutation(
        3,
        "a last line without newline gets one",
        EDITS,
        "result[-1] = result[-1].removesuffix(newline)",
        "pass",
        ("tests/test_files_edits.py::test_apply",),
    ),
    Mutation(
        3,
        "a form feed ends a line",
        LINES,
        "return _LINE.findall(text)",
        "return text.splitlines(keepends=True)",
        ("tests/test_files_edits.py::test_lines_join_to_the_text", LAWS + "test_untouched_lines_stay_byte_for_byte"),
    ),
    Mutation(
        3,
        "the byte order mark is lost",
        DECODING,
        "return codecs.BOM_UTF8 + data if self.bom else data",
        "return data",
        ("tests/test_files_decoding.py", "tests/test_cli.py::TestStdin"),
    ),
    Mutation(
        3,
        "the declared encoding is not heard",
        DECODING,
        'return Encoding("utf-8" if name == "utf-8-sig" else name, bom)',
        'return Encoding("utf-8", bom)',
        ("tests/test_files_decoding.py",),
    ),
    Mutation(
        3,
        "the result is written as UTF-8 whatever the file had",
        PROCESS,
        "return encoding.encode(conversion.after)",
        "return conversion.after.encode()",
        (LAWS + "test_untouched_lines_stay_byte_for_byte",),
    ),
    Mutation(
        3,
        "user lines that read the module are formatted",
        ENTRY,
        "text = self.code(statement, renamed)",
        "text = format_code(self.code(statement, renamed), 88)",
        (LAWS + "test_only_the_names_change_in_rewritten_lines",),
    ),
    Mutation(
        3,
        "the whole file is formatted",
        ENGINE,
        "        if problem := self._problem(after, later):",
        "        from .rewrite.formatting import format_code\n\n        after = format_code(after, 88)\n        if problem := self._problem(after, later):",
        (LAWS + "test_untouched_lines_stay_byte_for_byte",),
    ),
    Mutation(
        3,
        "comments of the script leave with the edit before them",
        ENTRY,
        "return removal is not None and removal.target in",
        "return removal is None or removal.target not in",
        (LAWS + "test_comments_travel_once",),
    ),
)

CONVERT_OR_REFUSE = (
    Mutation(
        4,
        "unbound names pass",
        ENGINE,
        '        if new:\n            return f"names would be unbound',
        '        if False:\n            return f"names would be unbound',
        (LAWS + "test_a_wrong_output_is_refused",),
    ),
    Mutation(
        4,
        "names are unbound only when no scope binds them anywhere",
        "torch2lit/checks.py",
        "return used - bound - set(dir(builtins)) - _MODULE_NAMES",
        "return set()",
        (LAWS + "test_a_wrong_output_is_refused",),
    ),
    Mutation(
        4,
        "what does not compile passes",
        ENGINE,
        'return f"the converted text does not compile: line',
        'return "" and f"the converted text does not compile: line',
        (LAWS + "test_a_wrong_output_is_refused",),
    ),
    Mutation(
        4,
        "a refusal changes the text",
        ENGINE,
        "return Conversion(path, Outcome.REFUSED, text, text,",
        'return Conversion(path, Outcome.REFUSED, text, text + "\\n",',
        _text("refused-single-step"),
    ),
    Mutation(
        4,
        "a refusal gives no reason",
        ENGINE,
        "text, findings=_ordered(findings), nests=nests)",
        "text, findings=(), nests=nests)",
        _text("refused-single-step"),
    ),
    Mutation(
        4,
        "a refused file is written",
        PROCESS,
        "    if conversion.outcome is not Outcome.CONVERTED:\n        return None\n",
        "",
        (SAFETY + "test_what_is_not_converted_stays_byte_for_byte", LAWS + "test_a_refused_file_is_not_written"),
    ),
    Mutation(
        4,
        "a refused loop leaves its edits behind",
        ENGINE,
        "                all_findings.append(refusal.finding)\n",
        "                pass\n",
        _text("refused-step-in-another-function", "refused-names-from-exec", "refused-else-on-epoch-loop"),
    ),
    Mutation(
        4,
        "a failed file loses its text",
        PROCESS,
        "return Conversion(name, Outcome.FAILED, text, text, error=one_line(error))",
        'return Conversion(name, Outcome.FAILED, text, "", error=one_line(error))',
        ("tests/test_api.py", "tests/test_cli.py::TestStdin"),
    ),
)

RUNS_NOTHING = (
    Mutation(
        5,
        "the engine imports torch",
        ENGINE,
        "    source = Source(text)\n",
        "    import torch  # noqa: F401\n\n    source = Source(text)\n",
        (LAWS + "test_converting_runs_and_imports_nothing",),
    ),
    Mutation(
        5,
        "the plan imports lightning",
        TRAINER,
        "    options = draft.options\n",
        "    import lightning  # noqa: F401\n\n    options = draft.options\n",
        (LAWS + "test_converting_runs_and_imports_nothing",),
    ),
    Mutation(
        5,
        "the script is run",
        ENGINE,
        "    result = _convert_once(text, path, options)\n    for",
        "    import contextlib\n\n    with contextlib.suppress(BaseException):\n        exec(text, {})\n    result = _convert_once(text, path, options)\n    for",
        (LAWS + "test_converting_runs_and_imports_nothing",),
    ),
    Mutation(
        5,
        "a neighbour of the script is run",
        "torch2lit/recover/neighbours.py",
        "            text = self.text(file)\n",
        "            text = self.text(file)\n            exec(text, {})\n",
        (LAWS + "test_converting_runs_and_imports_nothing",),
    ),
    Mutation(
        5,
        "a neighbour of the script is imported",
        "torch2lit/recover/neighbours.py",
        "            text = self.text(file)\n",
        "            text = self.text(file)\n            import importlib\n            import sys\n\n            sys.path.insert(0, str(self.folder))\n            importlib.import_module(file.stem)\n",
        (LAWS + "test_converting_runs_and_imports_nothing",),
    ),
    Mutation(
        5,
        "starting imports LibCST",
        "torch2lit/process.py",
        "_HOME = Path(__file__).parent\n",
        "import libcst  # noqa: E402, F401\n\n_HOME = Path(__file__).parent\n",
        ("tests/test_cli.py::TestStart",),
    ),
)

DETERMINISTIC = (
    Mutation(
        6,
        "attributes come in the order of a set",
        FACTS,
        "return sorted(variables, key=lambda v: ranked[v])",
        "return list(variables)",
        ("tests/test_fixtures.py::test_same_bytes_whatever_the_hash_seed",),
    ),
    Mutation(
        6,
        "findings come in the order of a set",
        ENGINE,
        "return tuple(sorted(set(findings)))",
        "return tuple(set(findings))",
        (
            "tests/test_fixtures.py::test_same_bytes_whatever_the_hash_seed",
            *_text("device-moves-in-every-spelling", "comments-everywhere"),
        ),
    ),
    Mutation(
        6,
        "moved constructions take their values in the order of a set",
        CONSTRUCTION,
        "for name in sorted(flow([statement.value]).read - own):",
        "for name in flow([statement.value]).read - own:",
        (LAWS + "test_hash_seed_does_not_show",),
    ),
    Mutation(
        6,
        "global names come in the order of a set",
        HOOKS,
        "if declared := sorted(n for n in self.state.global_names.get(hook, ()) if not is_attribute(n)):",
        "if declared := [n for n in self.state.global_names.get(hook, ()) if not is_attribute(n)]:",
        ("tests/test_fixtures.py::test_same_bytes_whatever_the_hash_seed",),
    ),
    Mutation(
        6,
        "the ledger is not sorted",
        LEDGER,
        "return tuple(sorted(entries.values(), key=lambda e: (e.line, e.end_line, e.source, e.target)))",
        "return tuple(entries.values())",
        (LAWS + "test_the_ledger_holds_every_statement",),
    ),
    Mutation(
        6,
        "a converted module is converted again",
        "torch2lit/recover/nest.py",
        "return owner is not None and any(ast.unparse(b).endswith(_LIGHTNING_BASES) for b in owner.bases)",
        "return False",
        (LAWS + "test_a_lightning_module_is_left_alone",),
    ),
    Mutation(
        6,
        "what a second conversion changes passes",
        ENGINE,
        'return "a second conversion would change the file again"',
        'return ""',
        (LAWS + "test_a_wrong_output_is_refused",),
    ),
    Mutation(
        6,
        "what cannot be listed comes first",
        RUN,
        "    conversions.sort(key=lambda conversion: Path(conversion.path).parts)\n",
        "",
        (LAWS + "test_output_is_sorted_by_path", "tests/test_cli.py"),
    ),
    Mutation(
        6,
        "the file system decides the order of files",
        "torch2lit/parallel.py",
        "return [results[number] for number in range(len(paths))]",
        "return [results[number] for number in reversed(range(len(paths)))]",
        ("tests/test_api.py", "tests/test_cli.py"),
    ),
    Mutation(
        6,
        "a clock gets into the output",
        ENTRY,
        'return "\\n".join(lines) + "\\n"',
        'import time\n\n    return "\\n".join(lines) + f"  # {time.time_ns()}\\n"',
        ("tests/test_fixtures.py::test_converting_in_another_order_gives_the_same",),
    ),
)

NOTHING_LOST = (
    Mutation(
        7,
        "the target is written in place",
        WRITING,
        "                os.replace(temporary, target)\n        except",
        "                target.write_bytes(data)\n                os.unlink(temporary)\n        except",
        (
            SAFETY + "test_kill_before_the_replacement_leaves_the_original",
            LAWS + "test_the_target_is_replaced_in_one_step",
        ),
    ),
    Mutation(
        7,
        "the temporary file lies in another folder",
        WRITING,
        'suffix=".t2l-tmp", dir=target.parent)',
        'suffix=".t2l-tmp")',
        (LAWS + "test_the_target_is_replaced_in_one_step",),
    ),
    Mutation(
        7,
        "the temporary file stays when writing fails",
        WRITING,
        "            with contextlib.suppress(FileNotFoundError):\n                os.unlink(temporary)\n            raise",
        "            raise",
        (SAFETY + "test_file_changed_meanwhile_is_not_overwritten",),
    ),
    Mutation(
        7,
        "mode bits are lost",
        WRITING,
        "                os.fchmod(file.fileno(), mode)\n",
        "",
        (SAFETY + "test_mode_is_kept",),
    ),
    Mutation(
        7,
        "a symlink is replaced",
        WRITING,
        "target = Path(os.path.realpath(path))",
        "target = Path(path)",
        (SAFETY + "test_symlink_stays_and_its_target_is_written",),
    ),
    Mutation(
        7,
        "a read-only file is replaced",
        WRITING,
        "if not mode & 0o222 or not os.access(target, os.W_OK):",
        "if False:",
        (SAFETY + "test_read_only_file_is_not_replaced",),
    ),
    Mutation(
        7,
        "a file edited meanwhile is overwritten",
        WRITING,
        "    if found != expected:",
        "    if False:",
        (SAFETY + "test_file_changed_meanwhile_is_not_overwritten",),
    ),
    Mutation(
        7,
        "a file that appeared meanwhile is overwritten",
        WRITING,
        "        os.link(temporary, target)\n",
        "        os.replace(temporary, target)\n        return\n",
        (LAWS + "test_a_file_that_appears_meanwhile_stays",),
    ),
    Mutation(
        7,
        "no original is kept",
        WRITING,
        "kept = None if expected is None or is_held(target, expected) else",
        "kept = None if True else",
        (SAFETY + "TestOriginals",),
    ),
    Mutation(
        7,
        "an older original is overwritten",
        WRITING,
        "            if kept.read_bytes() == data:\n                return kept\n",
        "            kept.write_bytes(data)\n            return kept\n",
        (SAFETY + "TestOriginals",),
    ),
    Mutation(
        7,
        "git is believed to hold what was modified",
        "torch2lit/files/git.py",
        "return blob is not None and blob == _blob_name(data, len(blob))",
        "return blob is not None",
        (SAFETY + "TestOriginals",),
    ),
    Mutation(
        7,
        "an error of the engine stops the run",
        PROCESS,
        "    except Exception as error:\n        return failed(",
        "    except ZeroDivisionError as error:\n        return failed(",
        ("tests/test_cli.py::test_one_bad_file_does_not_stop_the_others", "tests/test_api.py"),
    ),
    Mutation(
        7,
        "a file that cannot be written stops the run",
        RUN,
        "except (WriteError, OSError) as error:",
        "except ZeroDivisionError as error:",
        (
            SAFETY + "test_file_changed_meanwhile_is_not_overwritten",
            LAWS + "test_a_file_that_cannot_be_written_stops_nothing",
        ),
    ),
    Mutation(
        7,
        "a file that cannot be read stops the run",
        RUN,
        "        except OSError as error:\n            results[file]",
        "        except ZeroDivisionError as error:\n            results[file]",
        ("tests/test_api.py::TestConvert", "tests/test_cli.py"),
    ),
    Mutation(
        7,
        "a worker that dies takes the others with it",
        "torch2lit/parallel.py",
        "            except BrokenProcessPool:\n                continue\n",
        "            except ZeroDivisionError:\n                continue\n",
        ("tests/test_cli.py",),
    ),
)

GROUP = "torch2lit/plan/group.py"
SEVERAL_PROCESSES = (
    Mutation(
        1,
        "a model with buffers loses its wrapper although it is called outside of the steps",
        GROUP,
        "if not group.bufferless and (outside :=",
        "if False and (outside :=",
        _text("ddp-tested-after-training"),
    ),
    Mutation(
        1,
        "a wrapper that is called twice per batch becomes Lightning's, which is called once",
        GROUP,
        "if len({id(call) for _, call in found}) != 1 or",
        "if False or",
        _text("ddp-called-twice-per-batch"),
    ),
    Mutation(
        1,
        "a second model comes into Lightning's wrapper",
        GROUP,
        "if role is Role.MODEL or (",
        "if (",
        _text("ddp-beside-a-teacher"),
    ),
    Mutation(
        1,
        "Lightning averages gradients of several batches once",
        GROUP,
        "draft.mechanism not in (Mechanism.AUTOMATIC, Mechanism.ITERATIONS) or not draft.automatic",
        "False",
        _text("ddp-gradients-averaged-every-batch"),
    ),
    Mutation(
        1,
        "every process validates with its own buffers, and Lightning with those of rank 0",
        "torch2lit/ddp/folding.py",
        "if uses.bare_forwards and not bufferless:",
        "if False:",
        _text("ddp-validated-without-its-wrapper"),
    ),
    Mutation(
        1,
        "weights are read before Lightning has made them the same in every process",
        "torch2lit/ddp/uses.py",
        "        if before:\n",
        "        if False:\n",
        _text("ddp-evaluated-before-training"),
    ),
    Mutation(
        1,
        "the Trainer takes the first GPU in every process",
        TRAINER,
        '(own := own_device(draft, arguments["accelerator"]))',
        '(own := "")',
        _text("ddp-wrapped-in-several-ways"),
    ),
    Mutation(
        1,
        "a spawned process takes the number of another one",
        "torch2lit/ddp/spawn.py",
        "values.of(node) != expected",
        "False",
        _text("spawned-with-ranks-of-its-own"),
    ),
    Mutation(
        1,
        "training that is left out makes the weights the same everywhere",
        "torch2lit/ddp/moments.py",
        "return not skipped_at(self.source, event, node, scope)",
        "return True",
        _text("ddp-in-a-class-trained-perhaps"),
    ),
    Mutation(
        1,
        "an object's model has one name only",
        "torch2lit/ddp/uses.py",
        "for held in self._held_by(scope):",
        "for held in ():",
        _text("ddp-in-a-class-trained-by-another-name"),
    ),
)

OF_LEAVING = (
    Mutation(
        1,
        "a break at the top leaves the index of the batch before",
        "torch2lit/plan/leaving.py",
        "if end and not _is_batch_seen_outside(draft):",
        "if end:",
        _trains("break-at-the-top-and-index-read-after"),
    ),
    Mutation(
        1,
        "the batch that is not used moves the schedule",
        OPTIMIZERS,
        ' if i.kind == "statement") or draft.epoch.leaving:',
        ' if i.kind == "statement"):',
        _trains("break-at-the-top-with-a-schedule-per-step"),
    ),
    Mutation(
        1,
        "a return skips nothing that follows the loop",
        "torch2lit/plan/last_returns.py",
        "follow = statements_after(draft)",
        "follow = []",
        _trains("return-past-what-follows-the-loop"),
    ),
    Mutation(
        1,
        "a run resumed behind its last epoch trains without end",
        TRAINER,
        """    return f"len(range({', '.join(parts)}))\"""",
        """    return f"{parts[1]} - {parts[0]}\"""",
        _text("resumed-behind-its-last-epoch"),
    ),
    Mutation(
        1,
        "gradients are left for the loop behind",
        STEPS,
        "return next((s for s in later if not _clears_first(s)), None)",
        "return None",
        _trains("gradients-cleared-for-the-loop-that-follows"),
    ),
    Mutation(
        1,
        "a perturbation of the inputs is taken for training",
        "torch2lit/recover/hand_updates.py",
        "if root_name(gradient) not in given:",
        "if True:",
        _text("perturbation-of-the-arguments"),
    ),
)

OF_ARGUMENTS = (
    Mutation(
        1,
        "a test is taken to say the same though a list in it grew",
        "torch2lit/plan/homes/same_test.py",
        "if _may_be_changed(draft, item, node.test):",
        "if False:",
        _trains("values-of-a-list-that-grows"),
    ),
    Mutation(
        1,
        "a test is taken to say the same though its switch is turned",
        "torch2lit/plan/homes/same_test.py",
        "if not all(_runs_outside(draft, n) for n in (*stored, *placed)):",
        "if False:",
        _trains("values-of-a-switch-that-is-turned"),
    ),
    Mutation(
        1,
        "arrays are compared with the hyper-parameters",
        "torch2lit/rewrite/module.py",
        "if not state.compared:",
        "if True:",
        _trains("arguments-beside-an-array"),
    ),
    Mutation(
        1,
        "a dictionary of optimizers is handed to Lightning",
        "torch2lit/plan/optimizers.py",
        "_taken_out_of(draft, name, written) or (",
        "None or (",
        _trains("optimizers-taken-out-of-a-dictionary"),
    ),
    Mutation(
        1,
        "a module asks for weights that are made after its loop",
        "torch2lit/plan/homes/outer.py",
        "if value.lineno > (outermost.end_lineno or outermost.lineno):",
        "if False:",
        _trains("optimizer-made-anew-for-later-weights"),
    ),
)

MUTATIONS = (
    *SAME_TRAINING, *OF_LEAVING, *SEVERAL_PROCESSES, *OF_METHODS, *OF_ARGUMENTS, *NOTHING_UNSAID, *UNTOUCHED, *CONVERT_OR_REFUSE, *RUNS_NOTHING, *DETERMINISTIC, *NOTHING_LOST,
)  # fmt: skip
