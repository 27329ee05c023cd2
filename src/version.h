/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WHYSTALL_VERSION_H
#define WHYSTALL_VERSION_H

#define WHYSTALL_VERSION "0.1.0"

#endif
