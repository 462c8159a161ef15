# SPDX-License-Identifier: EUPL-1.2
"""Ready connections: from the files that participants have to signals and registers, and back."""
