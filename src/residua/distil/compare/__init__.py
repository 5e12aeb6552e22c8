"""What is compared: answers and features of a student with a teacher's, row by row."""
