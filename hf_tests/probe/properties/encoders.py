"""What families of encoders share: their TestCases inherit these properties."""

from __future__ import annotations

from hf_tests.probe.properties import dual, images, text
from hf_tests.probe.properties.base import Loaded


class Encoder:
    """A text read in both directions."""

    def property_both_sides(self, loaded: Loaded) -> None:
        """Logits depend on the tokens on both sides."""
        text.both_sides_are_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a batch does not change a sequence's answer."""
        text.padding_changes_nothing(loaded)


class MaskedEncoder(Encoder):
    """An encoder that fills a masked token."""

    def property_tied_embeddings(self, loaded: Loaded) -> None:
        """Input and output embeddings are one tensor where the config says so."""
        text.embeddings_are_tied_as_configured(loaded)


class DualEncoder:
    """Images or sounds, and texts, each encoded to be scored against one another."""

    def property_label_order(self, loaded: Loaded) -> None:
        """The order of labels does not matter."""
        dual.order_of_labels_changes_nothing(loaded)

    def property_logit_scale(self, loaded: Loaded) -> None:
        """Logits are scaled by what was learned."""
        dual.logit_scale_is_applied(loaded)

    def property_normalised(self, loaded: Loaded) -> None:
        """Embeddings of texts and of what is scored against them are normalised."""
        dual.embeddings_are_normalised(loaded)


class ImageToMap:
    """An image turned into an answer for each of its places."""

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)

    def property_places(self, loaded: Loaded) -> None:
        """What changes in a corner of an image changes that corner of the answer most."""
        images.changes_stay_in_their_place(loaded)
