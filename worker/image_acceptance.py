"""What an image must pass before it can be found: its receipt is made, and policies are held against it."""

from __future__ import annotations

from runtime_images.machines import machine_of
from runtime_images.receipt import keep_receipt
from wheelyard.image_policy import policies_of, with_service_policy
from wheelyard.image_record import ImageRecord
from wheelyard.image_request import ImageRequest
from wheelyard.listed_files import ListedFiles, load_files
from wheelyard.policy_check import Judged, check_policies
from worker.context import Work


def accept_image(work: Work, request: ImageRequest, platform: str, record: ImageRecord) -> None:
    """Make the receipt of an assembled image, and refuse it where it violates a policy or its size budget.

    Safe to repeat. An image that was published before is looked at again: the policies may be others now.

    :param platform: platform tag of the toolchain (PEP 600).
    :raises PolicyViolated: the error says every violation; nothing was published or tagged.
    :raises InputError: the service's policy can't be read.
    """
    services = work.services
    scratch = work.scratch / "receipt"
    receipt = keep_receipt(services.store, record, machine_of(platform), scratch)
    policies = policies_of(with_service_policy(request.policy, services.settings.image_policy))
    files = ListedFiles(files=())
    if any(policy.forbidden_files for policy in policies.values()):
        files = load_files(services.store, record.manifest_digest) or files
    judged = Judged(receipt=receipt, files=files.files, labels=record.labels, user=record.user)
    check_policies(policies, judged, request.size_budget)
