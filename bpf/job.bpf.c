// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Which processes belong to the job: those asked for, and all that they fork. Threads of the job get
 * their storage here, at fork or from the iterator.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "ledger.bpf.h"
#include "waits.bpf.h"
#include "twice.bpf.h"

enum { MAX_ANCESTORS = 64, MAX_CGROUP_DEPTH = 64, MAX_CONTROLLERS = 16 };

__noinline bool cgroup_selected(u64 address)
{
	struct cgroup *cgroup = (void *)address;
	u32 hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);

	/* The hierarchy of cgroup 2 has a number of its own on each kernel; it is known by its css_set. */
	if (config_cgroup_hierarchy && hierarchy != config_cgroup_hierarchy)
		return false;
	for (int i = 0; i < MAX_CGROUP_DEPTH && cgroup; i++) {
		if (BPF_CORE_READ(cgroup, kn, id) == config_cgroup_id)
			return true;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return false;
}

__noinline bool task_in_cgroup(u64 address)
{
	struct task_struct *t = (void *)address;
	struct css_set *set = BPF_CORE_READ(t, cgroups);

	if (!config_cgroup)
		return false;
	if (!config_cgroup_hierarchy)
		return cgroup_selected((u64)BPF_CORE_READ(set, dfl_cgrp));
	for (u32 i = 0; i < MAX_CONTROLLERS; i++) {
		struct cgroup_subsys_state *css;
		struct cgroup *cgroup;

		/* How many there are depends on the kernel; the size of the array tells. */
		if (i >= bpf_core_field_size(struct css_set, subsys) / sizeof(void *))
			break;
		if (bpf_core_read(&css, sizeof(css), &set->subsys[0] + i))
			break;
		cgroup = BPF_CORE_READ(css, cgroup);
		if ((u32)BPF_CORE_READ(cgroup, root, hierarchy_id) == config_cgroup_hierarchy)
			return cgroup_selected((u64)cgroup);
	}
	return false;
}

static __always_inline bool name_selected(struct task_struct *leader)
{
	char comm[COMM_LEN];

	if (!config_glob)
		return false;
	bpf_core_read(comm, sizeof(comm), &leader->comm);
	return glob_matches(&config_glob_table, comm, COMM_LEN);
}

/* Was it asked for by its PID? That can be another process's later. */
static __always_inline bool pid_selected(u32 pid)
{
	return attaching && bpf_map_lookup_elem(&target_pids, &pid);
}

/* Was the process asked for itself? */
__noinline bool process_selected(u64 address)
{
	struct task_struct *leader = (void *)address;
	u32 pid = visible_pid(leader);

	if (!pid)
		return false; /* not in whystall's PID namespace: it could not be shown */
	return pid_selected(pid) || name_selected(leader) || task_in_cgroup(address);
}

/* Is one of the process's ancestors of the job, or asked for? Looked at only while attaching. */
struct ancestor_walk {
	struct task_struct *leader;
	bool selected;
};

static long step_ancestor(u32 index, struct ancestor_walk *walk)
{
	struct task_struct *leader = walk->leader;
	u32 pid, tgid;

	leader = BPF_CORE_READ(leader, real_parent, group_leader);
	tgid = BPF_CORE_READ(leader, tgid);
	if (tgid <= 1)
		return 1;
	pid = visible_pid(leader);
	walk->leader = leader;
	walk->selected = owner_find(tgid, BPF_CORE_READ(leader, start_boottime)) != OWNER_UNKNOWN ||
			 pid_selected(pid);
	return walk->selected;
}

__noinline bool ancestor_selected(u64 leader)
{
	struct ancestor_walk walk = { .leader = (void *)leader };

	REPEAT(MAX_ANCESTORS, step_ancestor, &walk);
	return walk.selected;
}

/*
 * Out of the run queue on its own account? (Since "sched/eevdf: Implement delayed dequeue", v6.12, a
 * sleeping task may stay in it for a while.)
 */
static __always_inline bool is_dequeued(struct task_struct *t)
{
	struct sched_entity *se = &t->se;

	if (!compat_on_rq(t))
		return true;
	return bpf_core_field_exists(se->sched_delayed) && BPF_CORE_READ(t, se.sched_delayed);
}

/* What a thread does right now; for one that is not the current one. */
static __always_inline void state_now(struct task_struct *t, struct task *task,
				      const struct call *call, struct sleep *sleep)
{
	if (compat_on_cpu(t))
		sleep->state = LEDGER_CPU;
	else if (!is_dequeued(t))
		sleep->state = LEDGER_RUNQUEUE;
	else
		sleep_find((u64)t, task, call, sleep);
}

static __always_inline struct thread *thread_take(u32 *index)
{
	if (bpf_map_pop_elem(&free_threads, index)) {
		if (threads_used >= config_max_threads)
			return NULL;
		*index = __sync_fetch_and_add(&threads_used, 1);
	}
	return bpf_map_lookup_elem(&threads, index);
}

/* A ledger as a thread gets it that is on a run queue. */
static __always_inline void thread_fill(struct thread *thread, struct task_struct *t, u32 owner,
					bool new)
{
	struct owner *o = owner_get(owner);
	u64 now;

	__builtin_memset(thread, 0, sizeof(*thread));
	if (o)
		thread->owner_start_boot_ns = o->start_boot_ns;
	thread->owner = owner;
	thread->serves = o && o->kind == OWNER_SERVER;
	thread->leader = BPF_CORE_READ(t, group_leader) == t;
	thread->tid = visible_tid(t);
	bpf_core_read(thread->comm, sizeof(thread->comm), &t->comm);
	thread->cpu_base_ns = new ? BPF_CORE_READ(t, se.sum_exec_runtime) : ~0ULL;
	thread->delay_base_ns = run_delay(t);
	now = bpf_ktime_get_ns();
	thread->start_ns = now;
	thread->word = now << LEDGER_SHIFT | LEDGER_RUNQUEUE;
	thread->life = THREAD_ALIVE;
}

/* How long it has not been on a processor; this thread, which asks, is on one. */
static __always_inline u64 off_cpu_ns(struct task_struct *t)
{
	u64 now = BPF_CORE_READ(bpf_get_current_task_btf(), sched_info.last_arrival);
	u64 last = BPF_CORE_READ(t, sched_info.last_arrival);

	return now > last ? now - last : 0;
}

/* Open the ledger of a thread that has none. Returns its word; 0: there is none to go on from. */
__noinline u64 ledger_open(u64 address, struct task *task, u32 owner, bool new)
{
	struct task_struct *t = (void *)address;
	struct thread *thread;
	u64 word;
	u32 index;

	if (!task || task->thread || BPF_CORE_READ(t, __state) == TASK_DEAD)
		return 0;
	thread = thread_take(&index);
	if (!thread) {
		if (!__sync_val_compare_and_swap(&task->thread, 0, THREAD_NONE))
			__sync_fetch_and_add(&loss.threads_dropped, 1);
		return 0;
	}
	thread_fill(thread, t, owner, new);
	word = thread->word;
	if (!__sync_val_compare_and_swap(&task->thread, 0, index + 1))
		return word;
	/* Another CPU has met it at the same time. */
	thread->life = THREAD_FREE;
	bpf_map_push_elem(&free_threads, &index, BPF_ANY);
	return 0;
}

/* What a thread does that has just got its ledger, unless a switch has been seen since then. */
__noinline int ledger_begin(u64 address, struct task *task, u64 word, const struct call *call)
{
	struct thread *thread = thread_of(task);
	struct task_struct *t = (void *)address;
	struct sleep sleep = {};
	u64 now;

	if (!task || !thread || !call)
		return 0;
	state_now(t, task, call, &sleep);
	if (sleep.state == LEDGER_RUNQUEUE || thread->word != word)
		return 0;
	thread->place = sleep_place(&sleep, task->owner);
	if (sleep.socket)
		socket_note(thread, (u64)sleep.socket);
	now = bpf_ktime_get_ns();
	if (sleep.state != LEDGER_CPU) {
		thread->met_asleep_ns = now;
		thread->slept_before_ns = off_cpu_ns(t);
	}
	ledger_move(thread, word, sleep.state, now);
	return 0;
}

/* Its last switch may have come before its ledger. */
__noinline int ledger_close_dead(u64 address, struct task *task)
{
	struct thread *thread = thread_of(task);
	struct task_struct *t = (void *)address;

	if (task && thread && BPF_CORE_READ(t, __state) == TASK_DEAD)
		ledger_close(task, thread);
	return 0;
}

/*
 * A thread gets its ledger. A new thread is about to be put on a run queue; what any other one does is looked
 * up once its ledger is there, so that a switch in between is seen and stands.
 */
static __always_inline void ledger_enter(struct task_struct *t, struct task *task, u32 owner,
					 bool new)
{
	u64 address = address_of(t), word = ledger_open(address, task, owner, new);
	struct call call;

	if (!word)
		return;
	if (!new) {
		call_read(t, &call);
		ledger_begin(address, task, word, &call);
	}
	ledger_close_dead(address, task);
}

static __always_inline bool in_job(u32 owner)
{
	return owner >= OWNER_FIRST || owner == OWNER_FOLDED;
}

/* Servers' threads leave room for the job's, which would be lost. */
static __always_inline bool has_room_for_servers(void)
{
	return threads_used < config_max_threads / 4 * 3;
}

/*
 * A thread of a server may have a ledger. Whatever else it does is that of a stranger, as before: its storage says that it is
 * outside.
 */
static __always_inline bool task_set_server(struct task *task, struct owner *server)
{
	if (task->thread || in_job(task->owner) || !has_room_for_servers())
		return false;
	if (task->owner == OWNER_UNKNOWN) {
		task->epoch = membership_epoch;
		task->owner = OWNER_OUTSIDE;
	}
	__sync_fetch_and_add(&server->threads, 1);
	return true;
}

/* Give a thread its storage and its ledger, once. `new`: it has not run yet. */
static __always_inline void thread_enter(struct task_struct *t, u32 owner, bool new)
{
	struct task *task = bpf_task_storage_get(&tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct owner *o = owner_get(owner);
	bool server = o && o->kind == OWNER_SERVER;

	if (!task) {
		if (!server)
			__sync_fetch_and_add(&loss.threads_dropped, 1);
		return;
	}
	if (!server)
		task_set_owner(task, owner);
	else if (!task_set_server(task, o))
		return;
	if (config_ledger && in_job(owner))
		ledger_enter(t, task, owner, new);
}

/* The owner that serves, of a thread that has a ledger; OWNER_UNKNOWN if it is none. */
static __always_inline u32 server_of(const struct task *task)
{
	struct thread *thread = thread_of(task);

	return thread && thread->serves ? thread->owner : OWNER_UNKNOWN;
}

/* A server is met for the first time. */
static __always_inline void server_begin(struct task_struct *leader, struct server *server)
{
	struct owner *o;
	u32 index;

	o = owner_take(&index, OWNER_SERVER);
	if (!o)
		return;
	owner_describe(o, leader);
	o->trainer = server->trainer;
	server->start_boot_ns = o->start_boot_ns;
	server->owner = index;
	__sync_fetch_and_add(&servers_alive, 1);
}

static __always_inline struct server *server_find(struct task_struct *leader)
{
	u32 pid = visible_pid(leader);

	return bpf_map_lookup_elem(&servers, &pid);
}

/* The same as owner_end(), for a server. */
__noinline int server_end(u64 address)
{
	struct task_struct *leader = (void *)address;
	struct server *server;
	struct owner *o;

	if (BPF_CORE_READ(leader, signal, live.counter) > 0)
		return 0;
	server = server_find(leader);
	if (!server || !server->owner ||
	    server->start_boot_ns != BPF_CORE_READ(leader, start_boottime))
		return 0;
	o = owner_get(server->owner);
	if (o && !__sync_val_compare_and_swap(&o->end_boot_ns, 0, bpf_ktime_get_boot_ns()))
		__sync_fetch_and_add(&servers_alive, -1);
	return 0;
}

/*
 * A process of the job has a child in it. As far as can be told by now, a parent is a trainer and its
 * children work for it; user space, which sees who waits for whom, may know better.
 */
static __always_inline void owner_set_parent(u32 child, u32 parent)
{
	struct owner *new = owner_get(child);
	struct owner *o = owner_get(parent);

	if (child < OWNER_FIRST || parent < OWNER_FIRST || !o || !new)
		return;
	if (!o->assigned)
		o->trainer = parent;
	new->trainer = o->trainer;
}

/* The process of `leader` ends with its last thread; nothing happens while it has one, or a second time. */
__noinline int owner_end(u64 address)
{
	struct task_struct *leader = (void *)address;
	struct owner *o;
	u32 tgid, index;

	if (BPF_CORE_READ(leader, signal, live.counter) > 0)
		return 0;
	tgid = BPF_CORE_READ(leader, tgid);
	index = owner_find(tgid, BPF_CORE_READ(leader, start_boottime));
	if (index == OWNER_UNKNOWN)
		return 0;
	if (index == OWNER_FOLDED) {
		if (!bpf_map_delete_elem(&owner_by_tgid, &tgid))
			__sync_fetch_and_add(&job_alive, -1);
		return 0;
	}
	o = owner_get(index);
	/* The last two threads may both see that none is left. */
	if (!o || __sync_val_compare_and_swap(&o->end_boot_ns, 0, bpf_ktime_get_boot_ns()))
		return 0;
	bpf_core_read(o->comm, sizeof(o->comm), &leader->comm);
	bpf_map_delete_elem(&owner_by_tgid, &tgid);
	__sync_fetch_and_add(&job_alive, -1);
	return 0;
}

/* Enter a process that runs; another CPU may be about to end it. */
static __always_inline u32 owner_join(u64 leader)
{
	u32 index = owner_new(leader, OWNER_UNKNOWN);

	owner_end(leader);
	return index;
}

/* A process of the job, or outside it, has a child that is of the job. */
static __always_inline u32 owner_fork(struct task_struct *child, u32 parent)
{
	u32 index = owner_new(address_of(child), parent);

	owner_set_parent(index, parent);
	return index;
}

/*
 * A new task, not yet running, made by `current`. Unlike sched_process_fork this tracepoint is passed
 * by io_uring's workers too, which belong to the process that they work for.
 */
TRACE_THRICE("task_newtask", job_fork, struct task_struct *child)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct task *task = bpf_task_storage_get(&tasks, parent, NULL, 0);
	u32 owner = task ? task->owner : OWNER_OUTSIDE;

	if (is_kernel_thread(child))
		return 0;
	if (!in_job(owner) && (attaching || config_cgroup)) {
		/* Not yet met, or outside and the child starts in the cgroup (CLONE_INTO_CGROUP). */
		u32 known = owner_find(parent->tgid,
				       BPF_CORE_READ(parent, group_leader, start_boottime));

		if (known != OWNER_UNKNOWN)
			owner = known;
	}
	if (child->tgid == parent->tgid) {
		if (!in_job(owner))
			owner = server_of(task);
		if (in_job(owner))
			thread_enter(child, owner, true);
		return 0;
	}
	if (config_all)
		return 0; /* enters with its first request */
	if (again && owner_find(child->tgid, BPF_CORE_READ(child, group_leader, start_boottime)) !=
			     OWNER_UNKNOWN)
		return 0;
	if (in_job(owner) ||
	    (attaching &&
	     (process_selected(address_of(child)) || ancestor_selected(address_of(child)))) ||
	    task_in_cgroup(address_of(child)))
		thread_enter(child, owner_fork(child, owner), true);
	return 0;
}

/*
 * exec gives the process a new name and command line; under -n the name may make it a member.
 */
TRACE_TWICE("sched_process_exec", job_exec, struct task_struct *t)
{
	struct task *task = bpf_task_storage_get(&tasks, t, NULL, 0);
	u32 index = task ? task->owner : OWNER_OUTSIDE;
	struct thread *thread = thread_of(task);
	struct owner *o;

	/* Of several threads the one that calls exec goes on, under the leader's ID. */
	if (thread) {
		thread->tid = visible_tid(t);
		thread->leader = 1;
		bpf_core_read(thread->comm, sizeof(thread->comm), &t->comm);
	}

	if (!in_job(index) && config_glob && name_selected(t) && visible_pid(t)) {
		index = owner_new(address_of(t), OWNER_UNKNOWN);
		thread_enter(t, index, false);
	}
	if (index < OWNER_FIRST)
		return 0;
	o = owner_get(index);
	if (!o)
		return 0;
	bpf_core_read(o->comm, sizeof(o->comm), &t->comm);
	owner_read_cmdline(o, t);
	if (o->marked) {
		/* The new program has called no marker. Threads that are about to end leave by themselves. */
		if (thread)
			marker_leave(thread, o);
		o->marked = 0;
		o->clock = clock_read(o->clock, bpf_ktime_get_ns());
	}
	return 0;
}

/* Its last thread, which under -a need not be one that did I/O. */
TRACE_THRICE("sched_process_exit", job_exit, struct task_struct *t)
{
	u64 leader = (u64)BPF_CORE_READ(t, group_leader);

	owner_end(leader);
	if (servers_alive)
		server_end(leader);
	return 0;
}

/* -c: a process moves into the cgroup and belongs to the job from now on, also if it leaves again. */
TRACE_TWICE("cgroup_attach_task", job_cgroup_attach, struct cgroup *cgroup, const char *path,
	    struct task_struct *t)
{
	struct task_struct *leader = BPF_CORE_READ(t, group_leader);
	u32 known = owner_find(BPF_CORE_READ(leader, tgid), BPF_CORE_READ(leader, start_boottime));

	if (known != OWNER_UNKNOWN || is_kernel_thread(t) || !visible_pid(leader))
		return 0;
	if (config_cgroup_hierarchy ?
		    !cgroup_selected(address_of(cgroup)) :
		    BPF_CORE_READ(cgroup, root) != BPF_CORE_READ(t, cgroups, dfl_cgrp, root) ||
			    !cgroup_selected(address_of(cgroup)))
		return 0;
	thread_enter(t, owner_join((u64)leader), false);
	/* Its other threads find out at their next request, or when user space looks for them: now. */
	__sync_fetch_and_add(&membership_epoch, 1);
	bpf_ringbuf_output(&joined, &known, sizeof(known), 0);
	return 0;
}

/* The owner that a process of which user space says that it serves has got, or gets now; OWNER_UNKNOWN for any other one. */
__noinline u32 server_join(u64 address)
{
	struct task_struct *leader = (void *)address;
	struct server *server = server_find(leader);

	if (!server || BPF_CORE_READ(leader, signal, live.counter) == 0)
		return OWNER_UNKNOWN;
	if (!server->owner)
		server_begin(leader, server);
	return server->start_boot_ns == BPF_CORE_READ(leader, start_boottime) ? server->owner :
										OWNER_UNKNOWN;
}

/*
 * Every thread that exists when whystall starts; run until a round finds no new process. Later again for the
 * threads of processes that have joined, and, `serving`, for those of servers alone.
 */
SEC("iter/task")
int job_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct task_struct *leader, *parent;
	u32 owner;

	if (!t || is_kernel_thread(t))
		return 0;
	leader = BPF_CORE_READ(t, group_leader);
	owner = owner_find(BPF_CORE_READ(leader, tgid), BPF_CORE_READ(leader, start_boottime));
	if (serving) {
		owner = owner == OWNER_UNKNOWN ? server_join((u64)leader) : OWNER_UNKNOWN;
		if (owner == OWNER_UNKNOWN)
			return 0;
	} else if (owner == OWNER_UNKNOWN) {
		/* A process whose last thread is gone is a zombie: nothing of it is left to see. */
		if (BPF_CORE_READ(leader, signal, live.counter) == 0)
			return 0;
		if (!process_selected((u64)leader) && !ancestor_selected((u64)leader))
			return 0;
		owner = owner_join((u64)leader);
		parent = BPF_CORE_READ(leader, real_parent, group_leader);
		owner_set_parent(owner, owner_find(BPF_CORE_READ(parent, tgid),
						   BPF_CORE_READ(parent, start_boottime)));
		/* One that found no place may be met as unknown again: it must not ask for a round. */
		if (owner >= OWNER_FIRST)
			adopted++;
	}
	thread_enter(t, owner, false);
	return 0;
}
