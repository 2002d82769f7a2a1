"""Train a small tokenizer of any tokenizer class of transformers.

The class itself says which vocabulary files it reads (``vocab_files_names``). Those files are
trained on our own text and written as a published checkpoint has them, and the class then loads
them with all of its own conversion code. Four kinds of file cover the classes:

* ``*.model``: a SentencePiece model;
* ``vocab.json`` with ``merges.txt``: byte-level BPE;
* ``vocab.txt``: WordPiece;
* ``vocab.json`` alone: one entry a character, as CTC models have it.
"""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_tests.probe import classes
from hf_tests.probe.tiny import tekken, text

VOCABULARY = 400
"""Entries aimed at; byte-level alphabets add their 256."""

ROLES = ("pad_token", "unk_token", "bos_token", "cls_token", "eos_token", "sep_token", "mask_token")
_ROLE_NAMES = tuple(role.removesuffix("_token") for role in ROLES)
GENERIC = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes that read a tokenizer.json and add nothing: in transformers 5, and in both."""

WHOLE_FILE = "tokenizer_path"
"""The argument of a class that reads one published file of another library, which none here trains.
"""

GENERIC_TOKENS = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "mask_token": "<mask>",
}
SENTENCEPIECE_ENDINGS = (".model", ".spm")
WORDPIECE_ENDINGS = (".txt", ".tokenizer")
WORD_DELIMITER = "|"  # the space of character vocabularies


def build(
    class_name: str,
    spec: Mapping[str, Any],
    folder: Path,
    wanted: Callable[[Mapping[str, str], Any], Mapping[str, str]],
) -> Any:
    """Train vocabulary files in ``folder`` and return the tokenizer loaded from them.

    ``spec`` is the registry's ``tokenizer``; ``wanted`` says, given the special tokens that the
    tokenizer has by name and itself, which others it needs. Raises NotImplementedError for a class
    that this transformers does not have, or whose files are of no known kind.

    A name that ends in ``_token`` becomes an attribute of the tokenizer.
    """
    from tokenizers import AddedToken

    tokenizer = _trained(class_name, spec, folder)
    if tekken.FILE in spec.get("files", {}):
        return tokenizer  # its file says all that it has, and it can be given no more
    extra = [
        AddedToken(token, special=True, normalized=False) for token in spec.get("extra_tokens", ())
    ]
    tokenizer.add_tokens(extra, special_tokens=True)
    own = {f"{role}_token": getattr(tokenizer, f"{role}_token", None) for role in _ROLE_NAMES}
    missing = wanted({name: token for name, token in own.items() if token}, tokenizer)
    if not missing:
        return tokenizer
    vocabulary = tokenizer.get_vocab()
    roles = {name: token for name, token in missing.items() if name in ROLES}
    others = {name: token for name, token in missing.items() if name not in ROLES}
    tokenizer.add_special_tokens(roles)
    new = [token for token in dict.fromkeys(others.values()) if token not in vocabulary]
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in new], True)
    tokenizer.save_pretrained(str(folder))
    # As an argument each becomes an attribute that processors ask for, as image_token is.
    named = dict(spec.get("config", {}).get("extra_special_tokens", {}))
    named |= {name: token for name, token in others.items() if name.endswith("_token")}
    return type(tokenizer).from_pretrained(str(folder), extra_special_tokens=named)


def _trained(class_name: str, spec: Mapping[str, Any], folder: Path) -> Any:
    import transformers

    if not hasattr(transformers, class_name) and hasattr(transformers, f"{class_name}Fast"):
        class_name = f"{class_name}Fast"  # 4.57 has no slow class of some names
    cls = classes.transformers_class(class_name)
    if not issubclass(cls, transformers.PreTrainedTokenizerFast):
        # 4.57 has a slow and a fast class of most names, and loads the fast one.
        cls = getattr(transformers, f"{class_name}Fast", cls)
    if tekken.FILE in spec.get("files", {}):
        _, merges = _byte_level_bpe([], None)
        return tekken.load(cls, spec["files"][tekken.FILE], merges)
    files: Mapping[str, str] = cls.vocab_files_names
    vocabulary_file = files.get("vocab_file", "")
    specials = _special_tokens(cls)
    backend, fast = (getattr(transformers, name, None) for name in GENERIC)
    if any(base is not None and cls.__init__ is base.__init__ for base in (backend, fast)):
        return _generic(cls, spec)
    if (
        backend is None
        and issubclass(cls, transformers.PreTrainedTokenizerFast)
        and cls.slow_tokenizer_class is None
    ):
        return _generic(cls, spec)  # in 4.57 such a one is made of a tokenizer.json alone
    if list(files) == ["tokenizer_file"]:
        if _model_type(cls) == "unigram":
            # Its own trainer adds up probabilities in the order of a hash table, whose last bits
            # and ties differ from time to time.
            scored = _scored(_sentencepiece(_order(cls, specials), specials, "unigram"))
            return cls(vocab=scored, **spec.get("config", {}))
        # The class makes its own backend, and that can be trained anew.
        texts = text.SENTENCES + tuple(text.CHARACTERS)
        return cls(**spec.get("config", {})).train_new_from_iterator(texts, VOCABULARY)
    if not files:
        return cls(**spec.get("config", {}))
    for name, content in spec.get("files", {}).items():
        _write_json(folder / name, content)
    models = [name for name in files.values() if name.endswith(SENTENCEPIECE_ENDINGS)]
    required = {name for key, name in files.items() if key in _required(cls)}
    vocabularies = required | {name for key, name in files.items() if key == "vocab_file"}
    if not vocabularies:  # one of its source, one of its target
        vocabularies = {name for key, name in files.items() if key.endswith("_vocab_file")}
    if models:
        order = spec.get("sentencepiece_specials") or _order(cls, specials)
        data = _sentencepiece(order, specials, _model_type(cls))
        for name in models:
            (folder / name).write_bytes(data)
        for name in vocabularies - set(models):
            _write_json(folder / name, _numbered(order, data))
    elif "merges_file" in files:
        vocabulary, merges = _byte_level_bpe(_order(cls, specials), spec.get("end_of_word"))
        ordered = sorted(vocabulary, key=vocabulary.__getitem__)
        placed = _placed(ordered, spec.get("places", {}))
        vocabulary = {token: index for index, token in enumerate(placed)}
        for name in vocabularies - {files["merges_file"], *spec.get("files", ())}:
            _write_json(folder / name, vocabulary)
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (folder / files["merges_file"]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif vocabulary_file.endswith(WORDPIECE_ENDINGS):
        order = list(
            dict.fromkeys([*_order(cls, specials), *_special_tokens(cls, "_token").values()])
        )
        pieces = _placed(_word_pieces(order, specials["unk_token"]), spec.get("places", {}))
        (folder / vocabulary_file).write_text("\n".join(pieces) + "\n", encoding="utf-8")
        for name in required - {vocabulary_file, *spec.get("files", ())}:
            # Another number of each piece: of its shape, or of its sound.
            _write_json(folder / name, {piece: index for index, piece in enumerate(pieces)})
    elif vocabulary_file.endswith(".json"):
        delimited = bool(_special_tokens(cls, ("word_delimiter_token",)))
        _write_json(folder / vocabulary_file, _characters(_order(cls, specials), delimited))
    else:
        raise NotImplementedError(
            f"{class_name} reads {dict(files)}, of no kind that is known here"
        )
    config = {"tokenizer_class": class_name, "model_max_length": 512, **spec.get("config", {})}
    _write_json(folder / "tokenizer_config.json", config)
    return cls.from_pretrained(str(folder))


def _generic(cls: Any, spec: Mapping[str, Any]) -> Any:
    """A byte-level BPE with all special tokens, for what is published as tokenizer.json alone."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary, merges = _byte_level_bpe(list(GENERIC_TOKENS.values()), spec.get("end_of_word"))
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = ["input_ids", "attention_mask"]  # 4.57 would add token types, which few models take
    settings: dict[str, Any] = {"model_max_length": 512, "model_input_names": names}
    settings |= {**GENERIC_TOKENS, **spec.get("config", {})}
    return cls(tokenizer_object=backend, **settings)


def default_class(model_type: str) -> str | None:
    """The tokenizer class that transformers pairs with a model type; None when it has none.

    Where that reads another library's file, a generic one does what a tokenizer.json says.
    """
    import transformers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    names = TOKENIZER_MAPPING_NAMES.get(model_type)
    if isinstance(names, (list, tuple)):
        names = next((name for name in names if name), None)
    if not names:
        return None
    cls = getattr(transformers, names, None)
    if names in GENERIC or (cls is not None and WHOLE_FILE in _required(cls)):
        return GENERIC[1]
    return str(names).removesuffix("Fast")


def reads_sentencepiece(class_name: str | None) -> bool:
    """Whether a tokenizer class of that name, slow or fast, reads a vocabulary of sentencepiece."""
    import transformers

    found = [getattr(transformers, f"{class_name}{end}", None) for end in ("", "Fast")]
    files = [getattr(cls, "vocab_files_names", {}).get("vocab_file", "") for cls in found if cls]
    return any(name.endswith(".model") for name in files)


def _required(cls: Any) -> set[str]:
    """Arguments that a tokenizer cannot be made without: the files that it must have."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {item.name for item in parameters if item.default is inspect.Parameter.empty}


def _special_tokens(cls: type, names: str | tuple[str, ...] = ROLES) -> dict[str, str]:
    """Special tokens by role, from the defaults of the class's constructors.

    ``names`` are the ends of the arguments that are asked for.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                if name.endswith(names) and parameter.default not in (
                    inspect.Parameter.empty,
                    None,
                ):
                    found[name] = str(parameter.default)
    return found


def _order(cls: Any, specials: Mapping[str, str]) -> list[str]:
    """Special tokens in the order of their ids.

    transformers 5 gives some of them fixed ids, which an empty tokenizer of the class shows;
    4.57 has no empty tokenizers and reads the ids from the files.
    """
    known = list(dict.fromkeys(specials[role] for role in ROLES if role in specials))
    try:
        vocabulary: dict[str, int] = cls().get_vocab()
    except Exception:  # noqa: BLE001 - whatever a constructor raises without files: no order to learn
        return known
    fixed = [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if token in known]
    return fixed + [token for token in known if token not in fixed]


def _model_type(cls: Any) -> str:
    model = getattr(cls, "model", None)
    return "bpe" if getattr(model, "__name__", "") == "BPE" else "unigram"


def _sentencepiece(order: list[str], specials: Mapping[str, str], model_type: str) -> bytes:
    import sentencepiece

    core: dict[str, str] = {}
    for role in ("unk", "bos", "eos", "pad"):
        token = specials.get(f"{role}_token")
        if token in order and token not in core:
            core[token] = role
    options: dict[str, Any] = {f"{role}_id": -1 for role in ("bos", "eos", "pad")}
    for index, token in enumerate(order):
        if token in core:
            options[f"{core[token]}_id"] = index
            options[f"{core[token]}_piece"] = token
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.SENTENCES + tuple(text.CHARACTERS)),
        model_writer=model,
        model_type=model_type,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        character_coverage=1.0,
        control_symbols=[token for token in order if token not in core],
        num_threads=1,  # the result depends on the order of the work
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def _scored(data: bytes) -> list[tuple[str, float]]:
    """The pieces of a SentencePiece model in the order of their ids, with their scores."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    ids = range(model.get_piece_size())
    return [(model.id_to_piece(index), model.get_score(index)) for index in ids]


def _numbered(order: list[str], data: bytes) -> dict[str, int]:
    """A vocabulary beside a SentencePiece model: special tokens, then its other pieces."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    pieces = [model.id_to_piece(index) for index in range(model.get_piece_size())]
    return {piece: index for index, piece in enumerate(dict.fromkeys([*order, *pieces]))}


# The trainers number marked characters ("##a", "a</w>") in the order of a hash table, which differs
# from process to process. Given as special tokens, they have their numbers beforehand.


def _byte_level_bpe(
    order: list[str], end_of_word: str | None
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE())
    split: Any = pre_tokenizers.ByteLevel(add_prefix_space=False)
    suffix, marked = {}, []
    if end_of_word is not None:
        split = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), split])
        suffix = {"end_of_word_suffix": end_of_word}
        marked = [character + end_of_word for character in alphabet]
    tokenizer.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY + len(alphabet),
        special_tokens=[*order, *marked],
        initial_alphabet=alphabet,
        show_progress=False,
        **suffix,
    )
    tokenizer.train_from_iterator(text.SENTENCES + tuple(text.CHARACTERS), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pairs = [item.split(" ") if isinstance(item, str) else item for item in model["merges"]]
    return model["vocab"], [(first, second) for first, second in pairs]


def _word_pieces(order: list[str], unknown: str) -> list[str]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marked = sorted({f"##{character}" for character in text.CHARACTERS.lower()})
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=[*order, *marked], show_progress=False
    )
    tokenizer.train_from_iterator(text.SENTENCES + tuple(text.CHARACTERS), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _placed(tokens: Sequence[str], places: Mapping[str, int]) -> list[str]:
    """The tokens in the order of their ids, some of them in given places.

    Up to the last of these, what no token is left for is unused, as in BERT's own vocabulary.
    """
    count = max(len(tokens), *(place + 1 for place in places.values())) if places else len(tokens)
    given = {place % count: token for token, place in places.items()}
    others = iter([token for token in tokens if token not in places])
    return [
        given[index] if index in given else next(others, f"[unused{index}]")
        for index in range(count)
    ]


def _characters(order: list[str], delimited: bool) -> dict[str, int]:
    """Large letters and a sign between words, as CTC has them; else small letters and the space."""
    letters = sorted({character for character in text.CHARACTERS if character.isupper()})
    space = WORD_DELIMITER if delimited else " "
    letters = letters if delimited else [letter.lower() for letter in letters]
    return {token: index for index, token in enumerate([*order, space, "'", *letters])}


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
