CREATE TABLE
	public . "t"
(

"id" INTEGER  PRIMARY
KEY,a   TEXT  ,  B INTEGER)
;
