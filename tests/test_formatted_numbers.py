"""Which numbers a formatted text shows, and under which words."""

from __future__ import annotations

import libcst as cst
import pytest

from torch2lit.formatted_numbers import formatted_numbers, only_number


def told(text: str) -> list[tuple[str, str]]:
    code = cst.Module([]).code_for_node
    return [(label, code(value)) for label, value in formatted_numbers(cst.parse_expression(text))]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('f"loss: {loss:.4f}"', [("loss", "loss")]),
        ('f"Epoch {epoch} - train loss = {a / b:8.3e} | Acc@1 {c:.1f}%"', [("train_loss", "a / b"), ("Acc_1", "c")]),
        ('f"loss: {loss:{width}.4f}"', [("loss", "loss")]),
        ('f"loss" f"={loss:.2f}, " "lr=" f"{lr:g}"', [("loss", "loss"), ("lr", "lr")]),
        ('"[%d/%d] Loss_D: %.4f D(x): %.4f" % (i, n, d, x)', [("Loss_D", "d")]),
        ('"Train loss: %.3f" % (total / (i + 1))', [("Train_loss", "(total / (i + 1))")]),
        ('"loss {:.3f}, acc {a:.2f}, {}".format(x, "s", a=y)', [("loss", "x"), ("acc", "y")]),
        ('"LR: {lr:.4f}. Data: {data:.3f}s. Batch: {bt:.3f}s. ".format(lr=a, data=b, bt=c)',
         [("LR", "a"), ("Data", "b"), ("Batch", "c")]),
        ('"first {1:.2f} second {0:.2f}".format(a, b)', [("first", "b"), ("second", "a")]),
        ('"loss %.3f loss %.3f" % (a, b)', [("loss", "a")]),
        ('"Accuracy: {}/{} ({:.0f}%)".format(right, n, 100 * right / n)', [("Accuracy", "100 * right / n")]),
        ('f"accuracy {right} / {n} = {right / n:.3f}, loss {loss:.3f}"', [("accuracy", "right / n"), ("loss", "loss")]),
        ('"loss: %.3f/%.3f (%.1f)" % (a, b, c)', [("loss", "a")]),
        ('"Accuracy: %d/%d loss (%.1f)" % (a, b, c)', [("loss", "c")]),
    ],
)  # fmt: skip
def test_numbers_are_found(text: str, numbers: list[tuple[str, str]]) -> None:
    assert told(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        '"Epoch %d of %d" % (epoch, epochs)',
        'f"Epoch {epoch + 1}: {loss}"',
        'f"loss: {loss!r:.4f}"',
        'f"{loss:.4f}"',
        '"loss %(a).3f" % numbers',
        '"loss %.*f" % (3, loss)',
        '"%d %% loss %s" % (a, b)',
        "text % loss",
        '"loss {:.3f}".format(*numbers)',
        '"loss {0[1]:.2f}".format(a)',
        '"loss {:.3f".format(a)',
        '"loss: {:.3f}".format()',
        'b"loss: %.3f" % loss',
        "describe(loss)",
        '"100 % of {0:>8s}".format("epoch")',
    ],
)
def test_nothing_else_is_taken_for_one(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('"%.5f" % (x)', "(x)"),
        ('f"{a:.2f} %"', "a"),
        ('"{:05.3f}".format(loss_avg())', "loss_avg()"),
        ('f"{a:.2f} of {b}"', None),
        ('f"{a}"', None),
        ("x", None),
        ('"%.5f"', None),
    ],
)
def test_the_only_number_of_a_text(text: str, number: str | None) -> None:
    value = only_number(cst.parse_expression(text))
    assert (None if value is None else cst.Module([]).code_for_node(value)) == number
