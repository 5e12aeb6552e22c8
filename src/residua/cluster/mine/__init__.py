"""``residua distil mine --cluster``: the teacher's scores of all chunks, by many machines."""
