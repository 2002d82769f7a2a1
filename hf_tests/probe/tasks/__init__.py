"""One module a task: its sample inputs, how it is run, what a right answer is."""

from __future__ import annotations

import functools

from hf_tests.probe.tasks.action_prediction import ActionPrediction
from hf_tests.probe.tasks.any_to_any import AnyToAny
from hf_tests.probe.tasks.audio_classification import AudioClassification
from hf_tests.probe.tasks.audio_coding import AudioCoding
from hf_tests.probe.tasks.audio_feature_extraction import AudioFeatureExtraction
from hf_tests.probe.tasks.automatic_speech_recognition import AutomaticSpeechRecognition
from hf_tests.probe.tasks.base import Subject, Task, Verdict
from hf_tests.probe.tasks.depth_estimation import DepthEstimation
from hf_tests.probe.tasks.document_question_answering import DocumentQuestionAnswering
from hf_tests.probe.tasks.document_text_generation import DocumentTextGeneration
from hf_tests.probe.tasks.feature_extraction import FeatureExtraction
from hf_tests.probe.tasks.fill_mask import FillMask
from hf_tests.probe.tasks.forced_pass import TOKENS, ForcedPass
from hf_tests.probe.tasks.image_classification import ImageClassification
from hf_tests.probe.tasks.image_feature_extraction import ImageFeatureExtraction
from hf_tests.probe.tasks.image_moderation import ImageModeration
from hf_tests.probe.tasks.image_segmentation import ImageSegmentation
from hf_tests.probe.tasks.image_text_to_text import ImageTextToText
from hf_tests.probe.tasks.image_to_image import ImageToImage
from hf_tests.probe.tasks.keypoint_detection import KeypointDetection
from hf_tests.probe.tasks.keypoint_matching import KeypointMatching
from hf_tests.probe.tasks.mask_generation import MaskGeneration
from hf_tests.probe.tasks.object_detection import ObjectDetection
from hf_tests.probe.tasks.protein_text_generation import ProteinTextGeneration
from hf_tests.probe.tasks.scene_text_recognition import SceneTextRecognition
from hf_tests.probe.tasks.table_question_answering import TableQuestionAnswering
from hf_tests.probe.tasks.text2text_generation import Text2TextGeneration
from hf_tests.probe.tasks.text_detection import TextDetection
from hf_tests.probe.tasks.text_generation import TextGeneration
from hf_tests.probe.tasks.text_recognition import TextRecognition
from hf_tests.probe.tasks.text_to_audio import TextToAudio
from hf_tests.probe.tasks.time_series_forecasting import TimeSeriesForecasting
from hf_tests.probe.tasks.video_classification import VideoClassification
from hf_tests.probe.tasks.video_concept_segmentation import VideoConceptSegmentation
from hf_tests.probe.tasks.video_feature_extraction import VideoFeatureExtraction
from hf_tests.probe.tasks.video_grounding import VideoGrounding
from hf_tests.probe.tasks.video_mask_generation import VideoMaskGeneration
from hf_tests.probe.tasks.visual_document_retrieval import VisualDocumentRetrieval
from hf_tests.probe.tasks.visual_question_answering import VisualQuestionAnswering
from hf_tests.probe.tasks.zero_shot_audio_classification import ZeroShotAudioClassification
from hf_tests.probe.tasks.zero_shot_image_classification import ZeroShotImageClassification
from hf_tests.probe.tasks.zero_shot_object_detection import ZeroShotObjectDetection
from hf_tests.probe.tasks.zero_shot_video_classification import ZeroShotVideoClassification

__all__ = ["TOKENS", "ForcedPass", "Subject", "Task", "Verdict", "get", "names"]


@functools.cache
def _by_name() -> dict[str, Task]:
    tasks: tuple[Task, ...] = (
        ActionPrediction(),
        AnyToAny(),
        AudioClassification(),
        AudioCoding(),
        AudioFeatureExtraction(),
        AutomaticSpeechRecognition(),
        DepthEstimation(),
        DocumentQuestionAnswering(),
        DocumentTextGeneration(),
        FeatureExtraction(),
        FillMask(),
        ImageClassification(),
        ImageFeatureExtraction(),
        ImageModeration(),
        ImageSegmentation(),
        ImageTextToText(),
        ImageToImage(),
        KeypointDetection(),
        KeypointMatching(),
        MaskGeneration(),
        ObjectDetection(),
        ProteinTextGeneration(),
        SceneTextRecognition(),
        TableQuestionAnswering(),
        Text2TextGeneration(),
        TextDetection(),
        TextGeneration(),
        TextRecognition(),
        TextToAudio(),
        TimeSeriesForecasting(),
        VideoClassification(),
        VideoConceptSegmentation(),
        VideoFeatureExtraction(),
        VideoGrounding(),
        VideoMaskGeneration(),
        VisualDocumentRetrieval(),
        VisualQuestionAnswering(),
        ZeroShotAudioClassification(),
        ZeroShotImageClassification(),
        ZeroShotObjectDetection(),
        ZeroShotVideoClassification(),
    )
    return {task.name: task for task in tasks}


def names() -> tuple[str, ...]:
    """All tasks there are."""
    return tuple(_by_name())


def get(name: str) -> Task:
    """The task of that name; KeyError when there is none."""
    return _by_name()[name]
