"""What an image must pass before it can be found: its receipt is made, and policies are held against it."""

from __future__ import annotations

from runtime_images.machines import machine_of
from runtime_images.receipt import keep_receipt
from wheelyard.errors import StoreUnavailable
from wheelyard.image_policy import policies_of, with_service_policy
from wheelyard.image_record import ImageRecord
from wheelyard.image_request import ImageRequest
from wheelyard.listed_files import ListedFiles, load_files
from wheelyard.policy_check import Judged, check_policies
from wheelyard.store.contract import Store
from worker.context import Work


def accept_image(work: Work, request: ImageRequest, platform: str, record: ImageRecord) -> None:
    """Make the receipt of an assembled image, and refuse it where it violates a policy or its size budget.

    Safe to repeat. An image that was published before is looked at again: the policies may be others now.

    :param platform: platform tag of the toolchain (PEP 600).
    :raises PolicyViolated: the error says every violation; nothing was published or tagged.
    :raises InputError: the service's policy can't be read.
    :raises StoreUnavailable: the store lost what the receipt or the list of files is made of.
    """
    services = work.services
    scratch = work.scratch / "receipt"
    receipt = keep_receipt(services.store, record, machine_of(platform), scratch)
    policies = policies_of(with_service_policy(request.policy, services.settings.image_policy))
    files = ListedFiles(files=())
    if any(policy.forbidden_files for policy in policies.values()):
        files = _listed(services.store, record)
    judged = Judged(receipt=receipt, files=files.files, labels=record.labels, user=record.user)
    check_policies(policies, judged, request.size_budget)


def _listed(store: Store, record: ImageRecord) -> ListedFiles:
    """The image's files; without them nothing can be said of those that are forbidden."""
    files = load_files(store, record.manifest_digest)
    if files is None:
        raise StoreUnavailable(
            "the list of an image's files is not in the store any more",
            expected="the list that is kept with its receipt",
            found="nothing",
            do="ask for the image again; the list is made again from its layers",
            digest=str(record.manifest_digest),
        )
    return files
