"""`ros2 run wm_tools drive`: drives controllers through ROS topics, measures them and writes the report.

records, statistics, summary, pictures and report know nothing of ROS; processes starts and ends the nodes;
recorder_node is the wiring to the topics; runner drives one controller; __main__ puts them together.
"""
