"""stub"""
def conversion(values): return ""
def converted(conversion, ours): return ours
