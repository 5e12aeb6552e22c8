#!/bin/bash
#SBATCH --job-name=residua-ray
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=64
# A Ray cluster of all nodes for the length of the job, and a prediction on it. PICTURES, MODEL and OUTPUT
# are on a file system that all nodes see. The token keeps others of the machine room out.
set -euo pipefail

export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_TOKEN

first=${SLURMD_NODENAME:-$(hostname -s)}
port=6379
others=$((SLURM_NNODES - 1))

ray start --head --node-ip-address "$first" --port "$port" --include-dashboard=false \
    --num-cpus "$SLURM_CPUS_PER_TASK"
trap 'ray stop' EXIT
if [ "$others" -gt 0 ]; then
    srun --nodes "$others" --ntasks "$others" --exclude "$first" --export ALL \
        --cpus-per-task "$SLURM_CPUS_PER_TASK" \
        ray start --address "$first:$port" --num-cpus "$SLURM_CPUS_PER_TASK" --block &
fi

# The job is laid out for the machines that are there when it begins.
python - "$first:$port" "$SLURM_NNODES" << 'END'
import sys, time, ray
ray.init(address=sys.argv[1], logging_level="ERROR")
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(1)
END
residua predict "${PICTURES:?}" --model "${MODEL:?}" --cluster "$first:$port" --save "${OUTPUT:?}"
