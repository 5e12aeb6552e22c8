#!/bin/bash
#SBATCH --job-name=residua
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --requeue
#SBATCH --signal=TERM@120
# Training by torchrun on all nodes of the job. DATA and OUTPUT are on a file system that all nodes see.
# SIGTERM, two minutes before the end, writes a checkpoint. What is preempted is queued again, and goes on from
# it; a job that has used up its time is submitted again by hand, or by the one before (sbatch --dependency).
set -euo pipefail

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# srun does not take the number of cores from sbatch.
srun --cpus-per-task "$SLURM_CPUS_PER_TASK" torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_GPUS_ON_NODE" \
    --max-restarts 3 --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$first:29400" \
    -m residua train "${DATA:?}" -c imagenet/ResNet50 --output "${OUTPUT:?}/r50.bundle"
