"""Stone Soup on the scans of the `raid` benchmark: its global nearest neighbour and its JPDA, and its initiator.

It gets what noroshi has to learn: the density of false alarms and the probability of detection, and derivatives.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.cli.benches.raid_scene import BOX, SITES, Look, Raid
from noroshi.cli.benches.tracking_peer import START, parts

Floats = NDArray[np.float64]

GATE_SIGMA = 4.0
"""Its nearest neighbour leaves a track without a row beyond this distance."""
WAIT_SCANS = 9
"""Its deleter gives a track up after three seconds of three radars without a row."""
START_SIGMA = (1.0, 2800.0)
"""What its initiator knows of a new object's velocity, m/s, as noroshi; places come from the row."""


@dataclass(frozen=True, eq=False)
class Played:
    """One run: processor seconds of each scan; wrong and made associations of known objects; and, at each scan, the
    places (k, 3) of the tracks that it would show; near (n,): object nearest to each track at the end.
    """

    spent_s: list[float]
    wrong: int
    made: int
    shown: list[Floats]


def play(method: str, looks: Sequence[Look], raid: Raid, known: Floats | None, sigma: Floats) -> Played:
    """method: "GNN" or "JPDA"; known (n, 6): the objects' states at the first scan with standard deviations sigma (6,),
    or None: it has to find them.
    """
    from stonesoup.functions import gm_reduce_single
    from stonesoup.types.array import CovarianceMatrix, StateVector, StateVectors
    from stonesoup.types.detection import Detection
    from stonesoup.types.state import GaussianState
    from stonesoup.types.track import Track
    from stonesoup.types.update import GaussianStateUpdate

    sites = [(math.radians(s[1]), math.radians(s[2]), (s[4], s[4], s[3])) for s in SITES]
    predictor, updater, models = parts("EKF", sites)
    associator = _associator(method, predictor, updater, raid)
    initiator, deleter = _beginner(predictor, updater, models) if known is None else (None, None)
    stamp = START + timedelta(seconds=looks[0].time_s)
    first = () if known is None else known
    number = {}
    for n, state in enumerate(first):
        begun = GaussianState(StateVector(state), CovarianceMatrix(np.diag(sigma**2)), timestamp=stamp)
        number[Track([begun])] = n
    tracks, typed = set(number), models[0]._typed_vector()
    spent, wrong, made, shown = [], 0, 0, []
    for look in looks:
        stamp = START + timedelta(seconds=look.time_s)
        detections = {
            Detection(
                StateVector(typed + np.array([[elevation], [math.pi / 2 - azimuth], [distance]])),
                timestamp=stamp,
                measurement_model=models[look.radar],
                metadata={"object": int(owner)},
            )
            for (distance, azimuth, elevation), owner in zip(look.value, look.owner, strict=True)
        }
        start = time.process_time()
        used, found = set(), associator.associate(tracks, detections, stamp)
        best = {}
        for track in tracks:
            hypotheses = found[track]
            if method == "GNN":
                best[track] = hypotheses
                track.append(updater.update(hypotheses) if hypotheses else hypotheses.prediction)
            else:
                states = [updater.update(one) if one else one.prediction for one in hypotheses]
                weight = np.array([float(one.probability) for one in hypotheses])
                mean, covariance = gm_reduce_single(
                    StateVectors([one.state_vector for one in states]),
                    np.stack([one.covar for one in states], axis=2),
                    weight,
                )
                best[track] = max(hypotheses, key=lambda one: one.probability)
                track.append(GaussianStateUpdate(mean, covariance, hypotheses, stamp))
            if best[track]:
                used.add(best[track].measurement)
        if initiator is not None and deleter is not None:
            tracks -= deleter.delete_tracks(tracks)
            tracks |= initiator.initiate(detections - used, stamp)
        spent.append(time.process_time() - start)
        for track, one in best.items():
            if one and track in number:
                made += 1
                wrong += one.measurement.metadata["object"] != number[track]
        places = [
            np.asarray(track.state_vector[:3], np.float64).ravel() for track in _ordered(tracks, number)
        ]
        shown.append(np.array(places).reshape(-1, 3))
    return Played(spent, wrong, made, shown)


def _ordered(tracks: set[Any], number: dict[Any, int]) -> list[Any]:
    """Known objects by number; others in any order, which no figure depends on."""
    return sorted(tracks, key=lambda track: number.get(track, len(number)))


def _associator(method: str, predictor: Any, updater: Any, raid: Raid) -> Any:
    from stonesoup.dataassociator.neighbour import GNNWith2DAssignment
    from stonesoup.dataassociator.probability import JPDAwithLBP
    from stonesoup.hypothesiser.distance import DistanceHypothesiser
    from stonesoup.hypothesiser.probability import PDAHypothesiser
    from stonesoup.measures import Mahalanobis

    if method == "GNN":
        distance = DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=GATE_SIGMA)
        return GNNWith2DAssignment(distance)
    volume = math.prod(high - low for low, high in BOX)
    return JPDAwithLBP(
        PDAHypothesiser(
            predictor,
            updater,
            clutter_spatial_density=max(raid.alarms, 0.01) / volume,
            prob_detect=raid.detection,
            prob_gate=0.99,
        )
    )


def _beginner(predictor: Any, updater: Any, models: Sequence[Any]) -> tuple[Any, Any]:
    """Its initiator, which holds new tracks back until they have three rows, and its deleter."""
    from stonesoup.dataassociator.neighbour import GNNWith2DAssignment
    from stonesoup.deleter.time import UpdateTimeStepsDeleter
    from stonesoup.hypothesiser.distance import DistanceHypothesiser
    from stonesoup.initiator.simple import MultiMeasurementInitiator
    from stonesoup.measures import Mahalanobis
    from stonesoup.types.array import CovarianceMatrix, StateVector
    from stonesoup.types.state import GaussianState

    place, speed = START_SIGMA
    prior = GaussianState(
        StateVector(np.zeros(6)), CovarianceMatrix(np.diag([place**2] * 3 + [speed**2] * 3))
    )
    holder = GNNWith2DAssignment(
        DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=GATE_SIGMA)
    )
    initiator = MultiMeasurementInitiator(
        prior_state=prior,
        deleter=UpdateTimeStepsDeleter(WAIT_SCANS),
        data_associator=holder,
        updater=updater,
        min_points=3,
    )
    return initiator, UpdateTimeStepsDeleter(WAIT_SCANS)
