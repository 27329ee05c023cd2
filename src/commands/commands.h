/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands. Each gets its own argv, with what to call itself in argv[0]; returns the exit code. */
#ifndef WHYSTALL_COMMANDS_COMMANDS_H
#define WHYSTALL_COMMANDS_COMMANDS_H

int command_explain(int argc, char **argv);
int command_stat(int argc, char **argv);
int command_doctor(int argc, char **argv);

#endif
