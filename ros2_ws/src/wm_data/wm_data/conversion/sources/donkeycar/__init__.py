from wm_data.conversion.sources.donkeycar.reader import find_drives, open_drive

__all__ = ["find_drives", "open_drive"]
